"""What to do when a subtask did not reach its end: try again from a snapshot, or give up."""

from __future__ import annotations

from .attempt import Attempt, Mark
from .cfg import RetryCfg


def note_failure(attempt: Attempt, key: tuple[str, int]) -> None:
    """Count a try that failed, and remember the source demo it came from.

    Args:
        attempt: The attempt.
        key: End effector and subtask.
    """
    attempt.failures[key] = attempt.failures.get(key, 0) + 1
    attempt.failed[key].append(attempt.played[key].demo)
    attempt.note_used(key, failed=True)


def go_back(attempt: Attempt, key: tuple[str, int], cfg: RetryCfg) -> Mark | None:
    """Take an attempt back to where the failed subtask began, or, when its tries are used up, an earlier one.

    A subtask that fails again and again does so because of what an earlier one left behind: an object that lies badly
    in the hand, a tower that leans. So each further return goes back one subtask more.

    Args:
        attempt: The attempt; its end effectors are taken back.
        key: End effector and subtask that failed.
        cfg: Limits.

    Returns:
        Where to restore the environment to, or None to give up.
    """
    eef, subtask = key
    if len(attempt.failed[key]) < cfg.tries:
        return attempt.rewind(key)
    if subtask == 0 or attempt.step_backs >= cfg.step_backs:
        return None
    attempt.step_backs += 1
    before = (eef, max(0, subtask - attempt.step_backs))
    attempt.failed[before].append(attempt.played[before].demo)
    attempt.note_used(before, failed=True)
    return attempt.rewind(before)
