"""The sorting task on the real simulator."""

import pytest
from tabletop import multiply, operate, put, wait

from apprentice.tasks.bins.mdp.sizes import BIN_M, BINS, WIDTHS_M, bin_x_m, rest_m
from apprentice.tasks.session import open_session

NUM_ENVS = 6
IN_PLACE = {name: ((bin_x_m(name), 0.0, rest_m(name)), 0.0) for name in WIDTHS_M}


@pytest.fixture(scope="module")
def session():
    with open_session("Apprentice-Bins-Franka", num_envs=NUM_ENVS) as opened:
        yield opened


def test_the_operator_sorts_everything(session):
    episodes = operate(session, "d0", range(100, 100 + NUM_ENVS))
    assert sum(episode.success for episode in episodes) >= NUM_ENVS - 1


def test_what_lies_in_its_bin_stays_there_and_is_sorted(session):
    near_corner = {
        name: ((x + BIN_M[0] / 2 - 0.035, 0.02, z + 0.005), 0.5) for name, ((x, _, z), _) in IN_PLACE.items()
    }
    for places in (IN_PLACE, near_corner):
        put(session, places, onto=BINS)
        wait(session, 20)
        assert session.success().all()
        wait(session, 20)
        assert session.success().all(), "it does not rest"


def test_what_lies_elsewhere_is_not_sorted(session):
    swapped = IN_PLACE | {"cube": IN_PLACE["bar"], "bar": IN_PLACE["cube"]}
    beside = IN_PLACE | {"hexagon": ((0.0, -0.1, rest_m("hexagon")), 0.0)}
    above = IN_PLACE | {"bar": ((bin_x_m("bar"), 0.0, 0.1), 0.0)}
    for places in (swapped, beside, above):
        put(session, places, onto=BINS)
        assert not session.success().any()
    put(session, IN_PLACE, onto=BINS, fingers_m=0.02)
    assert not session.success().any(), "the gripper is not open"


def test_few_demos_become_many(session, tmp_path):
    assert multiply(session, tmp_path, 6, source_demos=2) >= 0.8
