"""Says early that a run cannot work, and why. Attempts are looked at in the order of their numbers, so always alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from apprentice.augment.attempt import Outcome

from . import causes

PROBE_TRIES = 64
"""Tries of a subtask without one that reached its end after which it is taken to be impossible: if one in twenty
worked, this would happen in one run of 27."""


class Probe:
    """Counts the tries of every subtask until one of them reaches its end."""

    def __init__(self, give_up_after: int) -> None:
        """Begin with no attempts.

        Args:
            give_up_after: Attempts without a held success after which a run is hopeless, whatever its subtasks did.
        """
        self._give_up_after = give_up_after
        self._attempts = 0
        self._succeeded = False
        self._failed: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self._works: set[tuple[str, int]] = set()

    def add(self, outcome: Outcome) -> str | None:
        """Take in the next attempt.

        Returns:
            Why the run is hopeless, in a sentence or two, or None.
        """
        self._attempts += 1
        self._succeeded |= outcome.success
        for part in outcome.subtasks:
            key = (part["eef"], part["index"])
            if key in self._works:
                continue
            failed = self._failed.setdefault(key, [])
            for tried in part["tried"]:
                if tried["cause"] is None:
                    self._works.add(key)
                    break
                failed.append(tried)
                if len(failed) == PROBE_TRIES:
                    return impossible(part, failed)
        if not self._succeeded and self._attempts >= self._give_up_after:
            return self._no_success(outcome)
        return None

    def _no_success(self, outcome: Outcome) -> str:
        """No subtask is impossible, and yet no attempt succeeds: the one that holds them up, as far as it is known."""
        stuck = [part for part in outcome.subtasks if (part["eef"], part["index"]) not in self._works]
        text = f"Expected some of {self._attempts} attempts to succeed, found none"
        for part in stuck:
            failed = self._failed.get((part["eef"], part["index"]), [])
            if failed:
                return f"{text}: {_sentence(part, failed)} {_ADVICE}"
        return f"{text}, though each subtask succeeds at times. {_ADVICE}"


def hopeless(outcomes: Iterable[Outcome], give_up_after: int) -> str | None:
    """Why a run with these attempts, in the order of their numbers, is hopeless; None if it isn't."""
    probe = Probe(give_up_after)
    return next((reason for outcome in outcomes if (reason := probe.add(outcome)) is not None), None)


def impossible(part: Mapping[str, Any], failed: Sequence[Mapping[str, Any]]) -> str:
    """That a subtask cannot work, and why.

    Args:
        part: The subtask, as in `Outcome.subtasks`.
        failed: Its tries, none of which reached its end.
    """
    return f"Expected every subtask to work at times, found that {_sentence(part, failed)} {_ADVICE}"


_ADVICE = "Look at the source demos there (`apprentice replay`), record others, or try --variant or --selection."


def subtask_name(part: Mapping[str, Any]) -> str:
    """What a subtask is called: its signal, or, the last one having none, its object."""
    return str(part["signal"] or (f"end at {part['object']}" if part["object"] else "end"))


def _sentence(part: Mapping[str, Any], failed: Sequence[Mapping[str, Any]]) -> str:
    counted = Counter(tried["cause"] for tried in failed)
    (main, count), *others = counted.most_common()
    times = f"{len(failed)} of {len(failed)}"
    name = part["signal"] or "the last subtask" + (f" (at {part['object']})" if part["object"] else "")
    text = f"{name} failed in {times} tries: {explain(main, failed)}"
    if others:
        rest = ", ".join(f"{cause} {number}" for cause, number in others)
        text += f" ({main} {count}, {rest})"
    return f"{text}."


def explain(cause: str, failed: Sequence[Mapping[str, Any]]) -> str:
    """What a cause means here, with the median of what was measured.

    Args:
        cause: One of `causes.CAUSES`.
        failed: Tries, as in the "tried" of `Outcome.subtasks`; those of other causes are left out.
    """
    rows = [tried for tried in failed if tried["cause"] == cause]
    thing = Counter(tried.get("object") or "the object" for tried in rows).most_common(1)[0][0]
    metres = [tried["off_m"] for tried in rows if "off_m" in tried]
    turns = [tried["off_rad"] for tried in rows if "off_rad" in tried]
    far = _length(median(metres)) if metres else f"{median(turns):.1f} rad" if turns else "some way"
    if cause == causes.UNREACHABLE:
        return (
            f"{thing} is {far} outside reach" if metres else f"the arm cannot turn the hand as {thing} needs, by {far}"
        )
    if cause == causes.NOT_REACHED:
        return f"the hand stayed {far} from where the source demos take it"
    if cause == causes.MISSED:
        return _missed(thing, metres, any(tried.get("gripper_moved", True) for tried in rows))
    return {
        causes.COLLIDED: f"{thing} was hit on the way and moved {far}"
        if metres
        else f"no way was found to {thing} that touches nothing",
        causes.KNOCKED_OVER: f"{thing} was pushed or tipped and moved {far}",
        causes.DROPPED: f"{thing} was lost from the hand and ended {far} from it",
        causes.MISPLACED: f"{thing} ended {far} from where the source demos put it",
        causes.NOT_HELD: "success came and did not last",
        causes.TIMED_OUT: "nothing visibly went wrong, and its end did not come",
    }[cause]


def _missed(thing: str, metres: Sequence[float], gripper_moved: bool) -> str:
    if not gripper_moved:
        return f"the gripper never moves there in the source demos, and {thing} was not taken along"
    if not metres or median(metres) < 0.01:
        return f"the gripper moved where it did in the source demos, and {thing} did not come along"
    return f"the gripper closed {_length(median(metres))} beside where it holds {thing} in the source demos"


def _length(metres: float) -> str:
    return f"{100 * metres:.0f} cm" if metres >= 0.015 else f"{1000 * metres:.0f} mm"
