"""Which task a demo file belongs to when the file does not say so in words we know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from apprentice.errors import UserError

from .registry import TaskInfo, known_tasks, task_info

OWN = "Apprentice-"
"""How the ids of our tasks begin. They come first where several fit a file equally: their success and signals are the
stricter ones."""


@dataclass(kw_only=True, frozen=True)
class DemoStructure:
    """What a demo file shows of its task."""

    eef_names: frozenset[str]
    """End effectors."""
    objects: frozenset[str]
    """Objects whose poses are recorded."""
    signals: frozenset[str]
    """Subtask signals."""
    action_dim: int
    """Width of the actions."""


@dataclass(kw_only=True, frozen=True)
class InferredTask:
    """A task, and why it is thought to be that one."""

    task: str
    """Registered id."""
    why: str
    """One sentence for the user."""


def demo_structure(keys: Iterable[str], action_dim: int) -> DemoStructure:
    """Read the structure off the keys of a demo ("/"-joined paths below its group)."""
    found: dict[str, set[str]] = {"eef_pose": set(), "object_pose": set(), "subtask_term_signals": set()}
    for key in keys:
        parts = key.split("/")
        if "datagen_info" in parts[:-2] and parts[-2] in found:
            found[parts[-2]].add(parts[-1])
        elif parts[0] in ("initial_state", "states") and "rigid_object" in parts[:-2]:
            found["object_pose"].add(parts[-2])
    return DemoStructure(
        eef_names=frozenset(found["eef_pose"]),
        objects=frozenset(found["object_pose"]),
        signals=frozenset(found["subtask_term_signals"]),
        action_dim=action_dim,
    )


def infer_task(structure: DemoStructure, env_name: str | None = None) -> InferredTask:
    """Find the task whose end effectors, objects, signals and action width are those of the demos.

    A name in the file that is a registered task wins; what the file does not show is not compared.

    Raises:
        UserError: If no task fits.
    """
    known = known_tasks()
    if env_name in known:
        assert env_name is not None
        return InferredTask(task=env_name, why=f"the file names it: {env_name}")
    shown = f"its demos show {_describe(structure)}"
    if env_name:
        shown = f"it names '{env_name}', which is no registered task, and {shown}"
    for task in known:
        if task.startswith(OWN) and fits(structure, task_info(task)):
            return InferredTask(task=task, why=f"{shown}; ours comes before stock tasks that fit as well")
    fitting = [task for task in known if _may_be_mimic(task) and _fits(structure, task)]
    if not fitting:
        raise UserError(
            f"Expected demos of a known Mimic task, found that {shown}, which fits none: name the task with --task."
        )
    others = f"; {', '.join(fitting[1:])} would fit too" if fitting[1:] else ""
    return InferredTask(task=fitting[0], why=f"{shown}{others}")


def _fits(structure: DemoStructure, task: str) -> bool:
    try:
        return fits(structure, task_info(task))
    except UserError:  # its configuration needs a package that is not installed
        return False


def fits(structure: DemoStructure, info: TaskInfo) -> bool:
    """Whether demos of this structure can be demos of that task."""
    signals = {signal for parts in info.subtasks.values() for _, signal in parts if signal}
    return (
        info.mimic
        and (not structure.eef_names or structure.eef_names == set(info.eef_names))
        and (not structure.objects or structure.objects == set(info.objects))
        and (not structure.signals or structure.signals == signals)
        and bool(structure.eef_names or structure.objects or structure.signals)
        and info.action_dim in (structure.action_dim, None)
    )


def _may_be_mimic(task: str) -> bool:
    """Cheap test that saves loading a hundred configurations: Isaac Lab's Mimic ids say so."""
    return "Mimic" in task or "Skillgen" in task


def _describe(structure: DemoStructure) -> str:
    parts = (("end effectors", structure.eef_names), ("objects", structure.objects), ("signals", structure.signals))
    shown = [f"{what} {', '.join(sorted(names))}" for what, names in parts if names]
    return ", ".join([*shown, f"{structure.action_dim} actions"])
