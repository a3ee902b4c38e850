"""What to do when a subtask did not reach its end: try again from a snapshot, or give up."""

from __future__ import annotations

from apprentice.augment.attempt import Attempt, Mark
from apprentice.augment.cfg import RetryCfg
from apprentice.augment.planning.constraints import Constraints, Key


def note_failure(attempt: Attempt, key: Key, constraints: Constraints) -> None:
    """Count a try that failed, and remember the source demo it came from.

    Args:
        attempt: The attempt.
        key: End effector and subtask. What is done together with it failed with it.
        constraints: Of the task.
    """
    for member in constraints.group(key):
        if member in attempt.marks:
            attempt.failures[member] = attempt.failures.get(member, 0) + 1
            attempt.failed[member].append(attempt.played[member].demo)
            attempt.note_used(member, failed=True)


def go_back(attempt: Attempt, key: Key, cfg: RetryCfg, constraints: Constraints) -> Mark | None:
    """Take an attempt back to where the failed subtask began, or, when its tries are used up, an earlier one.

    A subtask that fails again and again does so because of what an earlier one left behind: an object that lies badly
    in the hand, a tower that leans. So each further return goes back one subtask more: of this end effector, or of
    those on which it depends.

    Args:
        attempt: The attempt; its end effectors are taken back, all to the same moment.
        key: End effector and subtask that failed.
        cfg: Limits.
        constraints: Of the task.

    Returns:
        Where to restore the environment to, or None to give up.
    """
    group = constraints.group(key)
    if len(attempt.failed[key]) < cfg.tries:
        return attempt.rewind(group)
    began = min(attempt.marks[member].step for member in group if member in attempt.marks)
    earlier = {
        member: attempt.marks[member].step
        for member in constraints.before(key)
        if member in attempt.marks and attempt.marks[member].step < began
    }
    if not earlier or attempt.step_backs >= cfg.step_backs:
        return None
    attempt.step_backs += 1
    moments = sorted(set(earlier.values()), reverse=True)
    moment = moments[min(attempt.step_backs, len(moments)) - 1]
    causes = {other for member, step in earlier.items() if step == moment for other in constraints.group(member)}
    for member in sorted(causes & attempt.marks.keys()):
        attempt.failed[member].append(attempt.played[member].demo)
        attempt.note_used(member, failed=True)
    return attempt.rewind(causes)
