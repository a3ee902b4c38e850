"""Certificates that browsers and headsets accept, and that are kept safe."""

import datetime
import stat
import threading

import pytest
from cryptography import x509

from apprentice.errors import UserError
from apprentice.teleop.web import certificates as module
from apprentice.teleop.web.addresses import lan_addresses, own_names, reachable
from apprentice.teleop.web.certificates import certificates

NAMES = ["localhost", "127.0.0.1", "192.168.7.5", "bench", "bench.local"]


def leaf(folder):
    return x509.load_pem_x509_certificate((folder / "server.pem").read_bytes())


def alternatives(certificate):
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_keys_can_be_read_by_their_owner_only(tmp_path):
    folder = tmp_path / "https"
    certificates(NAMES, folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.glob("*.[kp]e*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert {path.name for path in folder.iterdir()} <= {"ca.key", "ca.crt", "server.pem", "lock"}


def test_the_certificate_holds_for_every_name_and_address(tmp_path):
    certificates(NAMES, tmp_path)
    names = alternatives(leaf(tmp_path))
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "bench", "bench.local"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "192.168.7.5"]


def test_names_of_every_language_are_possible(tmp_path):
    certificates(["bänk.local"], tmp_path)
    assert alternatives(leaf(tmp_path)).get_values_for_type(x509.DNSName) == ["xn--bnk-qla.local"]


def test_apple_devices_accept_its_life(tmp_path):
    certificates(NAMES, tmp_path)
    certificate = leaf(tmp_path)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= datetime.timedelta(days=398)


def test_the_authority_is_made_once_and_a_good_certificate_is_kept(tmp_path):
    certificates(NAMES, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    certificates(NAMES, tmp_path)
    certificates(NAMES[:2], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_new_address_renews_the_certificate_but_not_the_authority(tmp_path):
    certificates(NAMES, tmp_path)
    authority, old = (tmp_path / "ca.crt").read_bytes(), leaf(tmp_path)
    certificates([*NAMES, "10.1.2.3"], tmp_path)
    assert (tmp_path / "ca.crt").read_bytes() == authority
    assert leaf(tmp_path).serial_number != old.serial_number
    assert "10.1.2.3" in map(str, alternatives(leaf(tmp_path)).get_values_for_type(x509.IPAddress))


def test_a_certificate_that_is_about_to_end_is_renewed(tmp_path, monkeypatch):
    certificates(NAMES, tmp_path)
    old = leaf(tmp_path)
    soon = module._now() + datetime.timedelta(days=380)
    monkeypatch.setattr(module, "_now", lambda: soon)
    certificates(NAMES, tmp_path)
    assert leaf(tmp_path).not_valid_after_utc > old.not_valid_after_utc + datetime.timedelta(days=300)


def test_a_broken_certificate_is_made_again(tmp_path):
    certificates(NAMES, tmp_path)
    (tmp_path / "server.pem").write_text("half a file")
    certificates(NAMES, tmp_path)
    assert leaf(tmp_path)


@pytest.mark.parametrize("lost", ["ca.key", "ca.crt"])
def test_half_an_authority_is_refused(tmp_path, lost):
    certificates(NAMES, tmp_path)
    (tmp_path / lost).unlink()
    with pytest.raises(UserError, match=rf"Expected {lost} .* Delete ca.key and ca.crt"):
        certificates(NAMES, tmp_path)


def test_parts_of_two_authorities_are_refused(tmp_path):
    certificates(NAMES, tmp_path / "one")
    certificates(NAMES, tmp_path / "two")
    (tmp_path / "one" / "ca.key").write_bytes((tmp_path / "two" / "ca.key").read_bytes())
    with pytest.raises(UserError, match="belong together"):
        certificates(NAMES, tmp_path / "one")


def test_a_broken_authority_is_refused(tmp_path):
    certificates(NAMES, tmp_path)
    (tmp_path / "ca.crt").write_text("nothing")
    with pytest.raises(UserError, match="can be read"):
        certificates(NAMES, tmp_path)


def test_an_authority_that_has_ended_is_refused(tmp_path, monkeypatch):
    certificates(NAMES, tmp_path)
    later = module._now() + datetime.timedelta(days=3600)
    monkeypatch.setattr(module, "_now", lambda: later)
    with pytest.raises(UserError, match=r"hold for a year, it ends on .* Delete"):
        certificates(NAMES, tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="keep certificates"):
        certificates(NAMES, tmp_path / "file" / "https")


def test_two_sessions_that_start_together_make_one_authority(tmp_path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(certificates(NAMES, tmp_path).context())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    authority = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    leaf(tmp_path).verify_directly_issued_by(authority)


def test_this_machine_knows_its_addresses():
    assert {"localhost", "127.0.0.1"} | set(lan_addresses()) <= set(own_names())
    assert reachable("0.0.0.0")[0] == "localhost"
    assert reachable("192.168.7.5") == ["192.168.7.5"]
