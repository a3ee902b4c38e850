"""What can be told from a task's configuration, without a simulator."""

from __future__ import annotations

from collections.abc import Iterator

from apprentice.pipeline.task_checks.check import Check, judged
from apprentice.tasks.registry import TaskInfo


def configuration(info: TaskInfo) -> Iterator[Check]:
    """Whether a task says what every stage needs to know."""
    yield judged(
        "Mimic interface",
        f"end effectors {', '.join(info.eef_names)}" if info.mimic else "no subtask_configs",
        info.mimic,
        "Derive the configuration from MimicEnvCfg and fill subtask_configs: without them the task can't be augmented.",
    )
    yield judged(
        "success term",
        info.success or "none",
        info.success is not None,
        "Add a termination term named success; demos end when it has held, and policies are measured by it.",
    )
    for eef, parts in info.subtasks.items():
        silent = [str(index) for index, (_, signal) in enumerate(parts[:-1]) if not signal]
        yield judged(
            f"subtasks of {eef}",
            f"{len(parts)}, without a signal: {', '.join(silent)}" if silent else f"{len(parts)}, all with signals",
            not silent,
            "Name a subtask_term_signal for every subtask but the last; augmentation cuts demos there.",
        )
        unknown = sorted({name for name, _ in parts if name and name not in info.objects})
        yield judged(
            f"objects of {eef}",
            f"not in the scene: {', '.join(unknown)}" if unknown else ", ".join(sorted({str(n) for n, _ in parts})),
            not unknown,
            f"Name rigid objects of the scene as object_ref: {', '.join(info.objects) or 'it has none'}.",
        )
    if not info.variants:
        yield Check(
            status="note",
            what="variants",
            found="none",
            advice="With variants d0, d1 and d2 the same demos can be augmented to wider resets.",
        )
