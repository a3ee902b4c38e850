"""What operators need on this machine: the page, and a SpaceMouse if they have one. Opens no device."""

from __future__ import annotations

import os
from collections.abc import Iterator

from apprentice.errors import UserError
from apprentice.pipeline.fact import Fact
from apprentice.record.cfg import RecordCfg
from apprentice.teleop.sources.spacemouse_hid import UDEV_HELP, UDEV_RULE, connected


def page_facts(cfg: RecordCfg) -> Iterator[Fact]:
    """Whether the page's port is free, and what other devices would trust."""
    from apprentice.teleop.web.addresses import lan_addresses
    from apprentice.teleop.web.certificates import data_dir
    from apprentice.teleop.web.connections import listen

    try:
        listen(cfg.host, cfg.port).close()
        yield Fact(status="ok", what="operator's page", found=f"port {cfg.port} is free")
    except UserError:
        yield Fact(
            status="optional",
            what="operator's page",
            found=f"port {cfg.port} is taken",
            advice="Another recording may run. Say --port 0 to `apprentice record` for a free one.",
        )
    folder = data_dir() / "https"
    networks = lan_addresses()
    authority = f"authority in {folder}" if (folder / "ca.crt").exists() else f"an authority will be made in {folder}"
    yield Fact(
        status="ok" if networks else "optional",
        what="https for headsets",
        found=f"{authority}; {networks[0] if networks else 'no network'}",
        advice="" if networks else "Connect this machine to the headset's network.",
    )


def spacemouse_facts() -> Iterator[Fact]:
    """Which SpaceMice are plugged in, and whether they may be read."""
    try:
        there = connected()
    except UserError:
        yield Fact(
            status="optional",
            what="SpaceMouse",
            found="the library hidapi is missing",
            advice="For a SpaceMouse at this machine: sudo apt-get install -y libhidapi-hidraw0",
        )
        return
    if not there:
        yield Fact(status="optional", what="SpaceMouse", found="none of a known model is plugged in")
    for path, model in there.items():
        if not os.path.exists(path):
            yield Fact(
                status="optional",
                what="SpaceMouse",
                found=f"{model} is plugged in, {path} is not here",
                advice=f"In a container: start it with --device {path}.",
            )
        elif not os.access(path, os.R_OK | os.W_OK):
            yield Fact(
                status="optional",
                what="SpaceMouse",
                found=f"{model} at {path}, no permission",
                advice=UDEV_HELP[0].upper() + UDEV_HELP[1:] + ".",
                file=UDEV_RULE,
            )
        else:
            yield Fact(status="ok", what="SpaceMouse", found=f"{model} at {path}")
