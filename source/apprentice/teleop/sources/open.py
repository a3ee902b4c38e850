"""From the words of `--device` to sources: "keyboard", "left=spacemouse:/dev/hidraw1", "spacemouse@remote", ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import get_args

from apprentice.errors import UserError
from apprentice.teleop.bindings import Bindings
from apprentice.teleop.frame import TeleopFrame
from apprentice.teleop.sources import spacemouse
from apprentice.teleop.sources.base import Receiver
from apprentice.teleop.sources.combined import Combined
from apprentice.teleop.sources.page import PageDevice, PageSource
from apprentice.teleop.sources.spacemouse import RemoteSpaceMouse, SpaceMouse

OnFrame = Callable[[str, TeleopFrame], None]
"""Sees every frame of every source, with the name of the source, in whatever thread it arrives."""

_WORDS = "keyboard, gamepad, xr, spacemouse, spacemouse:PATH or spacemouse@remote, or one of these as EEF=DEVICE"


@dataclass(kw_only=True, frozen=True)
class Word:
    """One device that an operator asked for."""

    device: str
    """"keyboard", "gamepad", "xr", "spacemouse" or "spacemouse@remote"."""
    eef: str | None = None
    """End effector that it drives; None leaves it to the device."""
    path: str | None = None
    """Where it is plugged in; None takes the first one."""


@dataclass(kw_only=True, frozen=True)
class Opened:
    """Devices, ready to be started."""

    source: Combined
    """All of them as one."""
    page: PageSource
    """Always there: it gives commands and settings even where other devices move the robot."""
    receivers: dict[str, Receiver] = field(default_factory=dict[str, Receiver])
    """Who takes the messages of the page ("page"), and those of forwarded devices, by the name of the device."""
    bindings: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """What an operator has to know, in rows of "keys" and "does"."""
    parts: tuple[PageSource | SpaceMouse | RemoteSpaceMouse, ...] = ()
    """The sources one by one."""

    def listen(self, on_frame: OnFrame) -> None:
        """Show somebody every frame as it arrives, with the name of its source."""
        for part in self.parts:
            part.mailbox.on_frame = partial(on_frame, part.name)


def parse_word(text: str, eefs: Sequence[str]) -> Word:
    """Read one word of `--device`.

    Raises:
        UserError: If there is no such device or end effector.
    """
    eef, equals, device = text.rpartition("=")
    if equals and eef not in eefs:
        raise UserError(f'Expected one of {", ".join(eefs)} before "=" in the device "{text}", found "{eef}".')
    device, colon, path = device.partition(":")
    known = (*get_args(PageDevice), "spacemouse", "spacemouse@remote")
    if device not in known or (colon and (device != "spacemouse" or not path)):
        raise UserError(f'Expected a device, {_WORDS}, found "{text}".')
    return Word(device=device, eef=eef or None, path=path or None)


def open_sources(
    devices: Sequence[str],
    eefs: Sequence[str],
    bindings: Bindings | None = None,
    *,
    camera_yaws: Mapping[str, float] | None = None,
    walks: bool = False,
) -> Opened:
    """Make the sources that an operator asked for. Nothing is started yet.

    Args:
        devices: Words of `--device`.
        eefs: End effectors of the robot.
        bindings: What the keys do.
        camera_yaws: By camera, how far the direction that it looks in is turned from the robot's x (rad).
        walks: Whether the robot has a base to drive.

    Raises:
        UserError: If a word means nothing, two mean the same, or a system library is missing.
    """
    words = [parse_word(text, eefs) for text in devices]
    if not words:
        raise UserError(f"Expected at least one device: {_WORDS}.")
    if len(set(words)) < len(words):
        raise UserError(f"Expected every device once, found {', '.join(devices)}.")
    drives: dict[str, list[str]] = {}
    pucks: list[SpaceMouse | RemoteSpaceMouse] = []
    receivers: dict[str, Receiver] = {}
    for word in words:
        if word.device in get_args(PageDevice):
            drives.setdefault(word.device, []).extend([word.eef] if word.eef else eefs)
            continue
        eef = word.eef or eefs[len(pucks) % len(eefs)]  # the next one for the next arm
        if word.device == "spacemouse":
            pucks.append(SpaceMouse(eef, word.path))
        elif "spacemouse" in receivers:
            raise UserError("Expected one forwarded SpaceMouse, found several. Plug the others into this machine.")
        else:
            remote = RemoteSpaceMouse(eef)
            pucks.append(remote)
            receivers["spacemouse"] = remote
    arms = {name: list(dict.fromkeys(names)) for name, names in drives.items()}
    page = PageSource(eefs, bindings=bindings, devices=arms, camera_yaws=camera_yaws, walks=walks)
    return Opened(
        source=Combined([page, *pucks]),
        parts=(page, *pucks),
        page=page,
        receivers={"page": page} | receivers,
        bindings=page.table() + (spacemouse.TABLE if pucks else []),
    )
