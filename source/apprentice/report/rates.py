"""What pages that hold success rates against each other have in common."""

from __future__ import annotations

from collections.abc import Sequence

from apprentice.report import svg
from apprentice.report.fields import Json, number_in, object_in, text_in
from apprentice.report.words import count, plural


def criterion(found: Json) -> str:
    """What counts as a success, as a sentence."""
    return (
        "A rollout succeeds when the success term holds for "
        f"{plural(number_in(found, 'held_steps') or 0, 'control step')} in a row within "
        f"{count(number_in(found, 'horizon') or 0)}."
    )


def successes(one: Json) -> str:
    """How many rollouts succeeded: "95 of 100"."""
    return f"{count(number_in(one, 'successes') or 0)} of {count(number_in(one, 'rollouts') or 0)}"


def points(fraction: float) -> str:
    """A difference of rates in percentage points: 0.012 -> "+1.2"."""
    return f"{100 * fraction:+.1f}".replace("-", "\u2212")


def differences(spans: Sequence[svg.Span]) -> str:
    """A plot of differences with their intervals, zero in the middle."""
    reach = max([0.01, *(abs(end) for span in spans for end in span.ends)])
    return svg.spans(spans, low=-reach, high=reach, text=points, zero=True) if spans else ""


def policy_facts(one: Json, keys: Sequence[str]) -> list[tuple[str, str]]:
    """What was played: those of `keys` that are known, the checkpoint, and which training made it."""
    training = object_in(one, "training")
    rows = [(key, text_in(one, key)) for key in keys if text_in(one, key)]
    rows.append(("checkpoint (SHA-256)", text_in(one, "checkpoint_sha256")))
    return rows + [(f"training: {key}", text_in(training, key)) for key in training]
