"""Forward the SpaceMouse of this computer to a recording that runs on another one."""

from __future__ import annotations

from typing import Annotated

import tyro

from apprentice.cli.output import say


def main(
    url: tyro.conf.Positional[str],
    device: Annotated[str, tyro.conf.arg(metavar="spacemouse|spacemouse:PATH")] = "spacemouse",
    fingerprint: str | None = None,
) -> None:
    """Forward the SpaceMouse of this computer to a recording that runs on another one, until Ctrl-C.

    The recording is `apprentice record TASK --device spacemouse@remote ...`. It prints this command, complete. Needs
    neither Isaac Lab nor torch on this computer.

    Args:
        url: Address of the recording's page, with its token.
        device: Which one: spacemouse takes the first that is plugged in, spacemouse:/dev/hidraw1 that one.
        fingerprint: SHA-256 of the server's certificate, as the recording prints it; for https without installing the
            server's /ca.crt.
    """
    from apprentice.errors import UserError
    from apprentice.teleop.forward import forward

    name, colon, path = device.partition(":")
    if name != "spacemouse" or (colon and not path):
        raise UserError(f'Expected the device spacemouse or spacemouse:PATH, found "{device}".')
    try:
        forward(url, path or None, fingerprint=fingerprint, report=say)
    except KeyboardInterrupt:
        say("Stopped. Without its SpaceMouse the recording pauses.")
