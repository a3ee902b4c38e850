"""What a user is told when source demos cannot work, and how soon; and what is counted for the report."""

from __future__ import annotations

import pytest

from apprentice.augment.attempt import Outcome
from apprentice.augment.explain.causes import CAUSES
from apprentice.augment.explain.probe import PROBE_TRIES, Probe, explain, hopeless
from apprentice.augment.explain.tally import attempt_causes, subtask_rows


def tried(cause: str | None, demo: str = "demo_0", **more) -> dict:
    return {"source_demo": demo, "steps": 50, "cause": cause} | ({"object": "cube"} if cause else {}) | more


def attempt(number: int, *parts: list[dict], success: bool = False) -> Outcome:
    names = [("grasp", "cube"), ("lift", "cube"), (None, "bowl")]
    subtasks = [
        {"eef": "hand", "index": index, "object": thing, "signal": signal, "tries": len(rows), "tried": rows}
        | {"failures": sum(row["cause"] is not None for row in rows)}
        for index, ((signal, thing), rows) in enumerate(zip(names, [*parts, [], []], strict=False))
    ]
    stuck = [part for part in subtasks if part["tried"] and part["tried"][-1]["cause"]]
    return Outcome(
        number=number, seed=number, success=success, success_any_step=success, length=100, env_steps=300,
        cause=None if success else (stuck[-1]["signal"] if stuck and stuck[-1]["signal"] else "final"),
        step_backs=0, initial_objects={}, subtasks=subtasks,
    )  # fmt: skip


def test_an_object_out_of_reach_is_told_after_64_tries_with_the_distance():
    outcomes = [attempt(n, [tried("unreachable", off_m=0.03 + 0.0001 * n)] * 2) for n in range(100)]
    told = hopeless(outcomes, give_up_after=100)
    assert told is not None
    assert "grasp failed in 64 of 64 tries: cube is 3 cm outside reach." in told
    assert hopeless(outcomes[:31], 100) is None
    assert hopeless(outcomes[:32], 100) == told


def test_a_single_try_that_works_ends_the_suspicion():
    outcomes = [attempt(n, [tried("missed", off_m=0.02)]) for n in range(500)]
    outcomes[40] = attempt(40, [tried(None)], [tried("dropped")])
    assert hopeless(outcomes, give_up_after=1000) is None


def test_a_later_subtask_is_suspected_though_the_first_one_works():
    outcomes = [
        attempt(n, [tried("missed", off_m=0.02), tried(None)], [tried("dropped", off_m=0.1)]) for n in range(64)
    ]
    told = hopeless(outcomes, 1000)
    assert (
        told is not None
        and "lift failed in 64 of 64 tries: cube was lost from the hand and ended 10 cm from it" in told
    )


def test_the_last_subtask_is_called_by_its_object():
    outcomes = [attempt(n, [tried(None)], [tried(None)], [tried("misplaced", off_m=0.05)]) for n in range(64)]
    assert "the last subtask (at bowl) failed in 64 of 64" in (hopeless(outcomes, 1000) or "")


def test_the_commonest_cause_comes_first_and_the_others_are_counted():
    rows = [tried("missed", off_m=0.02)] * 40 + [tried("not reached", off_m=0.1)] * 24
    told = hopeless([attempt(n, [row]) for n, row in enumerate(rows)], 1000)
    assert told is not None
    assert "closed 2 cm beside where it holds cube in the source demos (missed 40, not reached 24)." in told


def test_a_gripper_that_never_moves_is_named():
    told = hopeless([attempt(n, [tried("missed", off_m=0.0, gripper_moved=False)]) for n in range(64)], 1000)
    assert "the gripper never moves there in the source demos" in (told or "")


def test_attempts_without_success_end_a_run_though_every_subtask_works_at_times():
    outcomes = [attempt(n, [tried(None)], [tried(None) if n % 2 else tried("dropped")]) for n in range(50)]
    assert hopeless(outcomes, 51) is None
    assert "Expected some of 50 attempts to succeed, found none" in (hopeless(outcomes, 50) or "")


def test_the_verdict_does_not_depend_on_what_comes_after():
    outcomes = [attempt(n, [tried("missed", off_m=0.01 * n)]) for n in range(200)]
    probe = Probe(1000)
    told = [probe.add(outcome) for outcome in outcomes[:PROBE_TRIES]]
    assert told[:-1] == [None] * (PROBE_TRIES - 1)
    assert told[-1] == hopeless(outcomes, 1000)


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("measured", [{}, {"off_m": 0.004}, {"off_m": 0.2}, {"off_rad": 0.6}])
def test_every_cause_can_be_explained_whatever_was_measured(cause, measured):
    words = explain(cause, [tried(cause, **measured)])
    assert words and "  " not in words and not words.endswith(" ")


def test_the_tally_adds_up():
    outcomes = [
        attempt(0, [tried("missed", off_m=0.02), tried(None, "demo_1")], [tried(None)], [tried(None)], success=True),
        attempt(1, [tried(None)], [tried("dropped", off_m=0.1), tried("dropped", "demo_2", off_m=0.2)]),
        attempt(2, [tried(None)], [tried(None)], [tried("not held")]),
    ]
    grasp, lift, last = subtask_rows(outcomes)
    assert (grasp["tries"], grasp["failures"]) == (4, 1)
    assert grasp["sources"] == {"demo_0": {"tries": 3, "reached": 2}, "demo_1": {"tries": 1, "reached": 1}}
    assert [(row["cause"], row["tries"]) for row in lift["causes"]] == [("dropped", 2)]
    assert last["name"] == "end at bowl"
    for row in (grasp, lift, last):
        assert row["failures"] == sum(one["tries"] for one in row["causes"])
        assert row["tries"] == sum(one["tries"] for one in row["sources"].values())
    assert attempt_causes(outcomes) == [
        {"subtask": "lift", "cause": "dropped", "attempts": 1},
        {"subtask": "end at bowl", "cause": "not held", "attempts": 1},
    ]
