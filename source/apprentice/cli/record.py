"""Record source demos of a task."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from apprentice.cli import leave
from apprentice.cli.output import say
from apprentice.cli.progress import drawn
from apprentice.record.cfg import RecordCfg

if TYPE_CHECKING:
    from apprentice.teleop.web.cfg import Address


def main(
    task: tyro.conf.Positional[str], output: Path, cfg: Annotated[RecordCfg, tyro.conf.arg(name="")] = RecordCfg()
) -> None:
    """Record source demos of a task. Running the same command again goes on to the number of demos asked for.

    People drive from a page in the browser, whose address is printed: keys, gamepad or headset. A SpaceMouse is read
    directly. `--device scripted` records a scripted operator instead.

    Args:
        task: Id of an Isaac Lab Mimic task, see `apprentice tasks`.
        output: Demo file (HDF5). The raw frames of devices are logged beside it.
        cfg: How to record.
    """
    with drawn("Recording") as progress:
        if cfg.scripted:
            from apprentice.record.recorder import record

            result = record(task, output, cfg, progress)
        elif cfg.replayed is not None:
            from apprentice.record.replayed import record_replayed

            result = record_replayed(task, output, cfg, progress)
        else:
            from apprentice.record.live import record_live

            remote = any(word.endswith("spacemouse@remote") for word in cfg.device)
            result = record_live(task, output, cfg, ready=partial(_say_where, remote=remote), progress=progress)
    say(f"{result.demos} demos in {output} ({result.saved} new, {result.discarded} discarded).")
    leave()


def _say_where(address: Address, *, remote: bool) -> None:
    from apprentice.teleop.forward import command
    from apprentice.teleop.web.qr import for_terminal

    say(f"\nOpen this page to drive:\n\n  {address.urls[0]}\n")
    if address.share is not None:
        say(f"On a headset, a tablet or another computer:\n\n  {address.share}\n\n{for_terminal(address.share)}")
    else:
        say(
            "It answers on this machine only. From elsewhere: "
            f"ssh -L {address.port}:127.0.0.1:{address.port} THIS_MACHINE, or --host 0.0.0.0 for headsets.\n"
        )
    if remote:
        through = "" if address.share is not None else ", through that ssh tunnel"
        say(f"On the computer that the SpaceMouse is plugged into{through}:\n\n  {command(address)}\n")
