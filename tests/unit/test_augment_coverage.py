"""What coverage of the reset distribution means: which cells were attempted, which succeeded, which are owed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apprentice.augment.explain.coverage import GRID, YAW_BINS, Coverage

RANGES = {name: {"x": (0.4, 0.6), "y": (-0.1, 0.1), "yaw": (-1.0, 1.0)} for name in ("cube", "bowl")}
SYMMETRY = {"cube": 4, "bowl": 1}

numbers = st.floats(-0.1, 0.1)
states = st.fixed_dictionaries(
    {name: st.tuples(numbers.map(lambda x: 0.5 + x), numbers, st.floats(-1, 1)) for name in RANGES}
)
attempts = st.lists(st.tuples(states, st.booleans()), min_size=1, max_size=30)


def fed(given_attempts, ranges=RANGES) -> Coverage:
    coverage = Coverage(SYMMETRY, ranges)
    for state, success in given_attempts:
        coverage.add(state, success)
    return coverage


def uniform(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return [{name: tuple(rng.uniform([0.4, -0.1, -1], [0.6, 0.1, 1])) for name in RANGES} for _ in range(count)]


@pytest.mark.parametrize("ranges", [RANGES, None], ids=["stated", "visited"])
@given(done=attempts)
def test_filled_and_owed_cells_are_the_visited_ones(ranges, done):
    coverage = fed(done, ranges)
    assert coverage.visited == coverage.filled + len(coverage.owed())
    assert coverage.share == coverage.filled / coverage.visited
    assert 0 <= coverage.unseen <= 1
    assert coverage.attempts == len(done)


@pytest.mark.parametrize("ranges", [RANGES, None], ids=["stated", "visited"])
@given(done=attempts)
def test_the_order_of_attempts_does_not_matter_and_none_is_lost(ranges, done):
    if ranges is None:
        done = [({"cube": state["cube"][:2] + (0.0,), "bowl": state["bowl"][:2] + (0.0,)}, won) for state, won in done]
    here, there = fed(done, ranges).summary(), fed(done[::-1], ranges).summary()
    for kind in ("objects", "pairs"):
        for name, view in here[kind].items():
            assert np.sum(view["attempts"]) == len(done)
            assert np.sum(view["successes"]) == sum(won for _, won in done)
            assert view["attempts"] == there[kind][name]["attempts"]


@given(done=attempts, state=states)
def test_a_success_pays_what_its_cells_owe(done, state):
    coverage = fed([*done, (state, False)])
    coverage.add(state, True)
    assert not coverage.owes(state)
    assert all(coverage.rate(cell) for cell in coverage.cells(state))


def test_a_corner_that_always_fails_is_owed_and_named():
    def corner(state):
        return state["cube"][0] > 0.6 - 0.2 / GRID and state["cube"][1] > 0.1 - 0.2 / GRID

    coverage = fed([(state, not corner(state)) for state in uniform(2000)])
    owed = [one for one in coverage.owed() if one.objects == ("cube",)]
    assert len(owed) == YAW_BINS
    assert sum(one.attempts for one in owed) == sum(corner(state) for state in uniform(2000))
    assert owed[0].bounds["cube x"] == pytest.approx((0.6 - 0.2 / GRID, 0.6))
    assert owed[0].bounds["cube y"] == pytest.approx((0.1 - 0.2 / GRID, 0.1))
    assert coverage.owes({"cube": (0.599, 0.099, 0.3), "bowl": (0.5, 0.0, 0.0)})
    assert not coverage.reached(0.999)


def test_a_combination_that_always_fails_is_seen_though_each_object_succeeds_everywhere():
    def together(state):
        return min(state["cube"][0], state["bowl"][0]) > 0.6 - 0.2 / 3

    coverage = fed([(state, not together(state)) for state in uniform(3000)])
    owed = coverage.owed()
    assert owed and {one.objects for one in owed} == {("bowl", "cube")}


def test_a_quarter_turn_of_a_cube_is_the_same_cell_and_of_a_bowl_another_one():
    coverage = fed([(state, True) for state in uniform(50)], None)
    here = {"cube": (0.5, 0.0, 0.1), "bowl": (0.5, 0.0, 0.1)}
    turned = {name: (x, y, yaw + math.pi / 2) for name, (x, y, yaw) in here.items()}
    bowl, cube, pair = zip(coverage.cells(here), coverage.cells(turned), strict=True)
    assert cube[0] == cube[1]
    assert bowl[0] != bowl[1]
    assert pair[0] == pair[1]


def test_what_never_moves_has_one_cell():
    coverage = fed([({"hole": (0.5, 0.1, 0.0), "peg": (0.4 + 0.01 * k, 0.0, 0.0)}, True) for k in range(10)], None)
    summary = coverage.summary()
    assert summary["objects"]["hole"]["cells"] == 1
    assert summary["objects"]["peg"]["cells"] == GRID


def test_coverage_is_reached_only_when_little_is_left_to_visit():
    states = uniform(1500)
    coverage = Coverage(SYMMETRY, RANGES)
    assert not coverage.reached(0.95)
    coverage.add(states[0], True)
    assert coverage.share == 1.0
    assert not coverage.reached(0.95)
    for state in states[1:]:
        coverage.add(state, True)
    assert coverage.reached(0.95)
    visited = coverage.summary()["objects"]["cube"]
    assert visited["visited"] == visited["cells"] == GRID * GRID * YAW_BINS
