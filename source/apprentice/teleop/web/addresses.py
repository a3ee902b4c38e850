"""Under which names and addresses this machine can be reached."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

import psutil

ANYWHERE = ("0.0.0.0", "::")
"""Hosts that mean every network; the first only by IPv4."""


def lan_addresses() -> list[str]:
    """Addresses of this machine on its networks, the one that leads outside first; none that needs a zone."""
    found = list(dict.fromkeys(_interface_addresses()))
    outside = _address_to_the_outside()
    # sorting is stable: addresses keep the order of their interfaces
    return sorted(found, key=lambda address: (address != outside, ":" in address))


def host_names() -> list[str]:
    """Name of this machine, plain and as multicast DNS knows it."""
    name = socket.gethostname().split(".")[0].lower()
    return [name, f"{name}.local"]


def own_names() -> list[str]:
    """Everything this machine can be called on itself and on its networks."""
    return ["localhost", "127.0.0.1", "::1", *host_names(), *lan_addresses()]


def reachable(host: str) -> list[str]:
    """What to put into addresses of a server that listens on `host`, this machine's own name first."""
    if host in ANYWHERE:
        lan = [address for address in lan_addresses() if host == "::" or ":" not in address]
        return ["localhost", *lan, host_names()[1]]
    return [host]


def bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def _interface_addresses() -> Iterator[str]:
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            address = ipaddress.ip_address(entry.address.split("%")[0])
            if not (address.is_loopback or address.is_unspecified or (address.version == 6 and address.is_link_local)):
                yield str(address)


def _address_to_the_outside() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # UDP sends nothing when it connects, it only chooses a route. The address is reserved for documentation
            probe.connect(("192.0.2.1", 9))
            return probe.getsockname()[0]
        except OSError:
            return None
