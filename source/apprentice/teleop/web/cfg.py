"""How the operator's page is served, and where it can be found."""

from __future__ import annotations

import ipaddress
import string
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from apprentice.errors import UserError

SHORTEST_TOKEN = 16
TOKEN_LETTERS = frozenset(string.ascii_letters + string.digits + "-_")


@dataclass(kw_only=True, frozen=True)
class WebCfg:
    host: str = "127.0.0.1"
    """Address to listen on. The default can be reached from this machine only; 0.0.0.0 is every network."""
    port: int = 8765
    """0 takes a free one."""
    https: Literal["auto", "always", "never"] = "auto"
    """auto: http on this machine, https on a network, where browsers give headsets and gamepads to https pages only."""
    token: str = ""
    """Secret in the page's address, without which nothing is served. Empty makes a new one for every session."""
    data_dir: Path | None = None
    """Where the local certificate authority is kept; None is the platform's place for a user's data."""
    max_clients: int = 32
    """How many pages and devices may be connected at once; and as many viewers of cameras and of the 3D view."""
    max_message_bytes: int = 65536
    """Longest message that a client may send."""
    max_messages_hz: float = 500.0
    """Messages that a client may send, on average over some seconds."""
    state_hz: float = 20.0
    """How often pages are told the state, at most."""
    stall_s: float = 5.0
    """A client that takes or answers nothing for this long is dropped."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UserError(f"Expected a port between 0 and 65535, got {self.port}. 0 takes a free one.")
        if self.token and (len(self.token) < SHORTEST_TOKEN or not TOKEN_LETTERS.issuperset(self.token)):
            raise UserError(
                f"Expected a token of at least {SHORTEST_TOKEN} letters, digits, - and _, got {len(self.token)} "
                "characters. Leave it out to have one made."
            )

    @property
    def on_this_machine_only(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def encrypted(self) -> bool:
        return self.https == "always" or (self.https == "auto" and not self.on_this_machine_only)


@dataclass(kw_only=True, frozen=True)
class Address:
    """Where the page is."""

    host: str
    """What it listens on."""
    port: int
    token: str
    urls: tuple[str, ...]
    """Complete addresses, token included, the one for this machine first."""
    share: str | None
    """The one to open on another device; None if no other device can reach it."""
    ca: Path | None
    """Certificate of the authority that devices are to trust; None without https."""
    fingerprint: str | None
    """SHA-256 of the server's certificate, in hexadecimal digits, for programs to compare; None without https."""
