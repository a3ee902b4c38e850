"""The `apprentice` command: one module per command, imported only when that command runs."""

from __future__ import annotations

import errno
import importlib
import os
import sys

from apprentice import __version__
from apprentice.errors import UserError

COMMANDS = {
    "demo": "The whole loop on the cube stack: `apprentice run` with the shipped configuration",
    "run": "Record, augment, train, evaluate and report, as a configuration file says",
    "tasks": "List the tasks that run here, per backend, and what others miss",
    "new-task": "Write a small task package of your own to start from",
    "check-task": "Test a task from all sides before demos of it are recorded",
    "record": "Record source demos of a task",
    "forward": "Forward the SpaceMouse of this computer to a recording that runs on another one",
    "annotate": "Write where subtasks end into the demos of a file",
    "check": "Look for what is wrong with a demo file",
    "replay": "Play demos back open-loop and certify those that reproduce bit for bit",
    "augment": "Generate demos from source demos",
    "render": "Add camera images to demos, drawn from their recorded states",
    "train": "Train a policy from a demo file",
    "evaluate": "Measure how often a policy succeeds",
    "improve": "Generate demos where a policy went wrong and train again, until a goal or a budget",
    "failures": "Say from where and how a policy failed, and where it left the way of the demos",
    "export": "Write a policy as ONNX and TorchScript, to run without Apprentice",
    "compare": "Compare evaluations on the same initial states",
    "report": "Draw the page of a run again from its result files",
    "doctor": "Say what this machine can do, and what to install",
}


def main(argv: list[str] | None = None) -> None:
    """Run one command.

    Exits with 0, 1 after an error that the user can fix, 2 for a bad command line, or 130 on Ctrl-C.
    """
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        _write(_help())
        return
    if arguments[0] in ("-V", "--version"):
        _write(f"apprentice {__version__}\n")
        return
    name = arguments[0]
    if name not in COMMANDS:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1)
        _fail(
            f"Expected a command ({', '.join(COMMANDS)}), found '{name}'"
            + (f": did you mean '{near[0]}'?" if near else "."),
            2,
        )
    _run(name, arguments[1:])


def _run(name: str, arguments: list[str]) -> None:
    # threads that spin while they wait slow each other down many times over on a busy machine; read when torch loads
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import tyro

    module = importlib.import_module(f"apprentice.cli.{name.replace('-', '_')}")
    try:
        tyro.cli(module.main, prog=f"apprentice {name}", args=arguments)
    except UserError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("Stopped. What was finished is kept; the same command continues from there.", 130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EPERM):
            raise
        where = f" at {error.filename}" if error.filename else ""
        _fail(
            f"Expected to write{where}, found: {error.strerror}. Free some space or choose another --output.",
            1,
        )


def leave(code: int = 0) -> None:
    """End the process at once, after a simulation: its native threads may not stop when asked."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join(
        [
            f"apprentice {__version__}: from teleoperation to a policy you can trust, on Isaac Lab.",
            "",
            "usage: apprentice COMMAND [ARGUMENTS]   (`apprentice COMMAND --help` for one command)",
            "",
            *lines,
            "",
            "First steps:  apprentice doctor,  then  apprentice demo",
            "",
        ]
    )


def _write(text: str) -> None:
    sys.stdout.write(text)


def _fail(message: str, code: int) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"error: {message}\n")
    sys.stderr.flush()
    # not sys.exit: a simulation that is open may refuse to go
    os._exit(code)
