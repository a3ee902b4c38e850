"""The physics of attempts: drawn in its range, from the attempt's number alone, and part of what names it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apprentice.augment.cfg import RandomiseCfg
from apprentice.augment.play.randomise import draw_physics
from apprentice.errors import UserError
from apprentice.sim.physics import Physics

CFG = RandomiseCfg(mass=(0.5, 2.0), friction=(0.8, 1.2))


@given(seed=st.integers(0, 1000), number=st.integers(0, 1000))
def test_physics_is_in_its_range_and_the_same_whenever_the_attempt_is_made(seed, number):
    physics = draw_physics(seed, number, ["red", "blue"], CFG)
    assert physics == draw_physics(seed, number, ["red", "blue"], CFG)
    assert physics != draw_physics(seed, number + 1, ["red", "blue"], CFG)
    assert 0.8 <= physics.friction <= 1.2
    assert len(set(physics.mass.values())) == 2
    assert all(0.5 <= factor <= 2.0 for factor in physics.mass.values())


def test_nothing_is_drawn_that_was_not_asked_for():
    assert draw_physics(1, 2, ["red"], RandomiseCfg()) == Physics()
    assert draw_physics(1, 2, ["red"], RandomiseCfg(mass=(0.5, 2.0))).friction == 1.0


def test_the_fingerprint_tells_physics_apart():
    heavy, light = Physics(mass={"red": 2.0}), Physics(mass={"red": 0.5})
    assert Physics().fingerprint("abc") == "abc"
    assert len({"abc", heavy.fingerprint("abc"), light.fingerprint("abc"), heavy.fingerprint("abd")}) == 4


@pytest.mark.parametrize("bad", [{"mass": (0.0, 1.0)}, {"friction": (2.0, 1.0)}])
def test_a_range_that_is_none_is_refused(bad):
    with pytest.raises(UserError, match="low to high and above 0"):
        RandomiseCfg(**bad)
