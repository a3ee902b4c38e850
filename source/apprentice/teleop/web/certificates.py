"""Certificates for https on a local network: an authority made once per user, and a certificate for this machine.

A headset or phone either accepts the warning once, or trusts the authority, whose certificate the page offers.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import ssl
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from filelock import FileLock

from apprentice.errors import UserError

CA_LIFE = datetime.timedelta(days=3650)
LEAF_LIFE = datetime.timedelta(days=397)
"""Apple's devices refuse longer ones."""
RENEW_BEFORE = datetime.timedelta(days=30)
CLOCK_SKEW = datetime.timedelta(days=1)
"""Certificates hold from yesterday on: headsets' clocks may be late."""


@dataclass(kw_only=True, frozen=True)
class Authority:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@dataclass(kw_only=True, frozen=True)
class Certificates:
    """Files to serve https with."""

    ca: Path
    """Certificate of the authority, for devices to trust."""
    server: Path
    """Key and certificate of this machine."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of this machine's certificate, in hexadecimal digits."""
        return x509.load_pem_x509_certificate(self.server.read_bytes()).fingerprint(hashes.SHA256()).hex()

    def context(self) -> ssl.SSLContext:
        """Settings of a server that shows this machine's certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.server)
        return context


def data_dir() -> Path:
    """Folder of what Apprentice keeps for a user: `APPRENTICE_DATA`, or the platform's place for data."""
    if override := os.environ.get("APPRENTICE_DATA"):
        return Path(override).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "apprentice"


def certificates(names: Sequence[str], folder: Path) -> Certificates:
    """Certificates for a machine of these host names and addresses; made or renewed if those in `folder` don't fit.

    Raises:
        UserError: If the authority in `folder` is incomplete, broken or expired, or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(folder / "lock"):
            authority = _authority(folder)
            server = folder / "server.pem"
            if not _fits(server, authority, names):
                _write(server, _leaf(authority, names))
    except OSError as error:
        raise UserError(f"Expected to keep certificates in {folder}, got: {error}. Make it writable.") from error
    return Certificates(ca=folder / "ca.crt", server=server)


def _authority(folder: Path) -> Authority:
    key, certificate = folder / "ca.key", folder / "ca.crt"
    if not key.exists() and not certificate.exists():
        made = _new_authority()
        _write(key, _key_bytes(made.key))
        _write(certificate, made.certificate.public_bytes(serialization.Encoding.PEM))
        return made
    again = f"Delete ca.key and ca.crt in {folder} to have a new authority made; devices must then trust that one."
    for path, other in ((key, certificate), (certificate, key)):
        if not path.exists():
            raise UserError(f"Expected {path.name} beside {other.name} in {folder}, found only the latter. {again}")
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        public = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (ValueError, TypeError) as error:
        raise UserError(f"Expected an authority that can be read in {folder}, got: {error}. {again}") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != public.public_key():
        raise UserError(f"Expected ca.key and ca.crt in {folder} to belong together, they do not. {again}")
    if public.not_valid_after_utc < _now() - CLOCK_SKEW + LEAF_LIFE:
        raise UserError(
            f"Expected ca.crt to hold for a year, it ends on {public.not_valid_after_utc:%d %B %Y}. {again}"
        )
    return Authority(key=private, certificate=public)


def _new_authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Apprentice (local authority of one user)")])
    usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True, "crl_sign": True}
    certificate = (
        _builder(name, name, key.public_key(), CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(key=key, certificate=certificate)


def _leaf(authority: Authority, names: Sequence[str]) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    usage = dict.fromkeys(_USAGES, False) | {"digital_signature": True}
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Apprentice")])
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(subject, authority.certificate.subject, key.public_key(), LEAF_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)]), critical=False
        )
        .add_extension(issued_by, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return _key_bytes(key) + certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, life: datetime.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - CLOCK_SKEW)
        .not_valid_after(_now() - CLOCK_SKEW + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _fits(server: Path, authority: Authority, names: Sequence[str]) -> bool:
    """Whether a certificate is there, of this authority, for all names, and for long enough."""
    try:
        certificate = x509.load_pem_x509_certificate(server.read_bytes())
        certificate.verify_directly_issued_by(authority.certificate)
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (FileNotFoundError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        # it is ours, and no device knows it: a new one does no harm
        return False
    return set(map(_general_name, names)) <= set(held) and certificate.not_valid_after_utc > _now() + RENEW_BEFORE


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file that only this user can read, as a whole or not at all."""
    with _replacing(path) as temporary:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    yield temporary
    temporary.replace(path)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
