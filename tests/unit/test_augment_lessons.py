"""What attempts learn from earlier ones: the same for all that generate, and of use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from augment_world import PushWorld, planners, write_source
from hypothesis import given
from hypothesis import strategies as st

from apprentice.augment.attempt import Outcome
from apprentice.augment.cfg import AugmentCfg, BridgeCfg, LearnCfg
from apprentice.augment.explain.coverage import Coverage
from apprentice.augment.lessons import Assignment, Ledger, Lessons, horizon
from apprentice.augment.planning.select import Records, choose
from apprentice.augment.play.rollout import Rollout

CFG = AugmentCfg(seed=5, held_steps=4, wait_steps=8, bridge=BridgeCfg(speed_m_s=1.0))
NAMES = ["demo_0", "demo_1", "demo_2"]


def outcome(number: int, success: bool = True, used=()) -> Outcome:
    return Outcome(
        number=number,
        seed=number,
        success=success,
        success_any_step=success,
        length=10,
        env_steps=10,
        cause=None if success else "press",
        step_backs=0,
        initial_objects={"button": [0.1 * (number % 5), 0.0, 0.0]},
        subtasks=[{"eef": "hand", "index": 0, "used": list(used)}],
    )


@given(behind=st.integers(1, 50), round_=st.integers(1, 20), number=st.integers(0, 400))
def test_a_round_knows_the_same_and_nobody_knows_what_may_still_be_under_way(behind, round_, number):
    cfg = LearnCfg(behind=behind, round=round_)
    known = horizon(number, cfg)
    assert 0 <= known <= max(0, number - behind)
    assert known % round_ == 0
    assert known <= horizon(number + 1, cfg) <= known + round_
    assert horizon(number, replace(cfg, on=False)) == 0


@given(st.permutations(range(30)))
def test_lessons_do_not_depend_on_the_order_in_which_attempts_end(order):
    cfg = LearnCfg(behind=8, round=4)
    outcomes = [outcome(number, number % 3 > 0, [["demo_0", "demo_1", 2, number % 3 == 0]]) for number in range(30)]
    whole, ledger = Ledger(cfg, Coverage({})), Ledger(cfg, Coverage({}))
    expected = [whole.assign(number, outcomes) for number in range(30)]
    ended, handed_out = set(), 0
    for number in order:
        while (found := ledger.assign(handed_out, outcomes[: _without_gap(ended)])) is not None and handed_out < 29:
            assert found.lessons.records == expected[handed_out].lessons.records
            assert (found.lessons.owed is None) == (expected[handed_out].lessons.owed is None)
            handed_out += 1
        ended.add(number)
    assert _without_gap(ended) == 30


def _without_gap(numbers: set[int]) -> int:
    return next(number for number in range(len(numbers) + 1) if number not in numbers)


def picks(lessons: Lessons, distances: list[float], count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    record = Records("hand", NAMES).of(0, int(np.argmin(distances)), lessons)
    return np.bincount([choose(np.array(distances), record, [], rng) for _ in range(count)], minlength=3) / count


def lessons(rows: dict[tuple[str, str], tuple[int, int]]) -> Lessons:
    return Lessons(horizon=64, records={("hand", 0): rows})


def test_a_segment_that_fails_is_left_even_if_it_is_nearest():
    distances = [0.02, 0.06, 0.08]
    assert picks(lessons({}), distances)[0] > 0.6
    bad = picks(lessons({("demo_0", "demo_0"): (30, 28), ("demo_1", "demo_0"): (30, 1)}), distances)
    assert bad[0] < 0.05


def test_what_fails_in_one_region_is_used_less_in_others_until_it_succeeds_there():
    distances = [0.02, 0.06, 0.08]
    elsewhere = {("demo_0", "demo_1"): (30, 28), ("demo_1", "demo_1"): (30, 1)}
    there, proven = picks(lessons(elsewhere), distances), elsewhere | {("demo_0", "demo_0"): (30, 1)}
    assert there[0] < 0.3
    assert picks(lessons(proven), distances)[0] > there[0] + 0.3


def test_where_everything_succeeds_the_nearest_is_chosen_as_without_lessons():
    distances = [0.02, 0.06, 0.2]
    everything = {(name, region): (20, 0) for name in NAMES for region in NAMES}
    np.testing.assert_allclose(picks(lessons(everything), distances), picks(lessons({}), distances), atol=0.08)


@pytest.mark.parametrize("number", [4, 5])
def test_some_attempts_start_where_none_has_succeeded(tmp_path: Path, number):
    coverage = Coverage({}, {"button": {"x": (0.3, 0.5), "y": (0.0, 0.2)}, "pad": {"x": (0.0, 0.2), "y": (0.4, 0.6)}})
    pad = [0.1, 0.5, 0.0]
    for x, y in np.stack(np.meshgrid(np.linspace(0.31, 0.49, 6), np.linspace(0.01, 0.19, 6)), -1).reshape(-1, 2):
        coverage.add({"button": [x, y, 0.0], "pad": pad}, not (x < 0.4 and y < 0.1))
    source = write_source(tmp_path / "source.hdf5")
    owed = Lessons(horizon=64, owed=coverage.frozen())

    def begin(num_envs: int) -> Outcome:
        assignments = iter([Assignment(number, owed)])
        (finished,) = Rollout(PushWorld(num_envs), planners(source, CFG), CFG).run(lambda: next(assignments, None))
        return finished.outcome

    first = begin(2)
    directed = number % CFG.learn.owed_every == 0
    assert coverage.owes(first.initial_objects) or not directed
    assert (first.seed == CFG.seed + number) != directed
    assert begin(3) == first
