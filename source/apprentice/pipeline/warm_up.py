"""Does once what the first command would otherwise have to wait for."""

from __future__ import annotations

from collections.abc import Callable

TASK = "Apprentice-Stack-Franka"


def warm_up(say: Callable[[str], None]) -> None:
    """Open the simulator: its kernels are compiled and the Panda's model is converted, and both are kept.

    Args:
        say: Tells the user what takes so long.

    Raises:
        UserError: If the simulator cannot run here.
    """
    from apprentice.tasks.session import open_session

    say("Opening the simulator once: the first time its kernels are compiled, which takes a minute or two.")
    with open_session(TASK) as session:
        session.reset([0], [0])
        session.step(session.neutral_actions())
