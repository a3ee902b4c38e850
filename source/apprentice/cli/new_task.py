"""Write a small task package of one's own to start from."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import Positional

from apprentice.cli.output import say


def main(name: Positional[str], output: Path | None = None) -> None:
    """Write a small, commented task package that works, to be changed into yours.

    It has objects, resets, subtasks, a success term and a scripted operator, and is used by every command once it is
    installed with `pip install -e`.

    Args:
        name: What the task is called, such as wipe_table.
        output: Folder of the new project. Default: the name, in this folder.
    """
    from apprentice.tasks.new_task import new_task

    folder = output or Path(name)
    for path in new_task(name, folder):
        say(f"Wrote {path}.")
    say(f"Next: pip install -e {folder}, then see {folder / 'README.md'}.")
