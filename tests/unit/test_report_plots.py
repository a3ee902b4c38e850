"""Laws of the report's axes, words and coverage numbers."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apprentice.report.coverage import coverage
from apprentice.report.svg import axis
from apprentice.report.words import count, date, duration, number, percent, plural

spans = st.tuples(st.floats(-1e5, 1e5), st.floats(1e-4, 1e5))


@given(span=spans, about=st.integers(2, 9))
@example(span=(1.0, 40041.0), about=2)
def test_ticks_are_round_evenly_spaced_and_inside(span, about):
    low, high = span[0], span[0] + span[1]
    found = axis([low, high], 0, 100)
    ticks = found.ticks(about)
    assert 1 <= len(ticks) <= 2 * about + 2
    assert all(low - 1e-6 * span[1] <= tick <= high + 1e-6 * span[1] for tick in ticks)
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, steps[:1].repeat(len(steps)), rtol=1e-5)


@given(low=st.floats(1e-6, 1e3), factor=st.floats(1.5, 1e8))
def test_a_logarithmic_axis_keeps_order_and_ends(low, factor):
    found = axis([low, low * factor], 10, 90, log=True)
    np.testing.assert_allclose(found([low, low * factor]), [10, 90], atol=1e-6)
    ticks = found.ticks(5)
    assert sorted(ticks) == ticks
    assert all(low * 0.99 <= tick <= low * factor * 1.01 for tick in ticks)


def test_a_single_value_still_has_an_axis():
    assert np.isfinite(axis([3.0], 0, 100)([3.0])).all()
    assert np.isfinite(axis([3.0, 3.0], 0, 100, log=True)([3.0])).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (percent(0.9475), "94.8 %"),
        (duration(3.21), "3.2 s"),
        (duration(59.7), "1 min"),
        (duration(102), "1 min 42 s"),
        (duration(7320), "2 h 2 min"),
        (count(12345.4), "12,345"),
        (number(0.0123456), "0.01235"),
        (number(1e6), "1,000,000"),
        (plural(1, "demo"), "1 demo"),
        (plural(0, "demo"), "0 demos"),
        (date("2026-11-22T02:40:00+01:00"), "2026-11-22 01:40 UTC"),
        (date("yesterday"), "yesterday"),
    ],
)
def test_numbers_read_as_people_write_them(text, expected):
    assert text.replace("\u202f", " ") == expected


def test_success_everywhere_covers_everything_and_favours_nothing():
    states = np.random.default_rng(0).uniform(-1, 1, (2000, 3))
    found = coverage(states, np.ones(2000, bool))
    assert found.covered == found.cells == 36
    assert max(found.distances.values()) == 0


def test_success_on_one_side_only_shows_in_the_numbers():
    states = np.random.default_rng(0).uniform(-1, 1, (4000, 3))
    found = coverage(states, states[:, 0] > 0.05)
    assert found.covered == found.cells / 2
    assert found.distances["x"] == pytest.approx(0.525, abs=0.03)
    assert found.distances["y"] < 0.05


def test_no_success_covers_nothing():
    found = coverage([[0.0, 0.0], [1.0, 1.0]], [False, False])
    assert (found.covered, found.distances) == (0, {})
