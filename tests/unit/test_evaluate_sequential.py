"""Looking after every rollout, and training several times, without fooling oneself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import trim_mean

from apprentice.evaluate.sequential import anytime_interval, clear_after
from apprentice.evaluate.statistics import success_interval
from apprentice.evaluate.training_seeds import aggregate, compare_recipes


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.98])
def test_someone_who_looks_after_every_rollout_is_wrong_at_most_5_times_in_100(rate):
    counts = (np.random.default_rng(0).random((400, 150)) < rate).cumsum(1)
    looked = {(int(s), n) for row in counts for n, s in enumerate(row, start=1)}
    outside = {(s, n) for s, n in looked if not (ends := anytime_interval(s, n))[0] <= rate <= ends[1]}
    ever_wrong = [any((int(s), n) in outside for n, s in enumerate(row, start=1)) for row in counts]
    assert np.mean(ever_wrong) <= 0.05


@given(trials=st.integers(0, 500), data=st.data())
def test_it_contains_the_rate_seen_and_is_wider_than_an_interval_for_one_look(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = anytime_interval(successes, trials)
    assert 0 <= low <= (successes / trials if trials else 0.5) <= high <= 1
    if trials:
        wilson = success_interval(successes, trials)
        assert high - low >= (wilson[1] - wilson[0]) * 0.95


def test_no_rollouts_say_nothing():
    assert anytime_interval(0, 0) == (0.0, 1.0)


def test_a_clear_answer_comes_early_and_an_unclear_one_not_at_all():
    bad = clear_after([False] * 100, 0.9)
    good = clear_after([True] * 200, 0.9)
    assert bad is not None and bad <= 5
    assert good is not None and 30 <= good <= 90
    assert clear_after([True, True, True, False] * 10, 0.75) is None


def test_a_broken_training_does_not_move_the_aggregate_but_widens_its_interval():
    good = [np.arange(100) < 95] * 8
    whole, with_broken = aggregate(good), aggregate([*good[:7], np.zeros(100, dtype=bool)])
    assert with_broken.interquartile_mean == pytest.approx(0.95)
    assert with_broken.mean < 0.9
    assert np.ptp(with_broken.interval) > np.ptp(whole.interval)


@pytest.mark.parametrize("trainings", [5, 10])
def test_the_interval_over_trainings_covers_what_many_trainings_would_give(trainings):
    rng = np.random.default_rng(1)
    truth = trim_mean(rng.beta(18, 2, 100_000), 0.25)
    covered = 0
    for _ in range(200):
        rates = rng.beta(18, 2, trainings)
        low, high = aggregate([rng.random(200) < rate for rate in rates], resamples=500).interval
        covered += low <= truth <= high
    assert covered / 200 >= 0.82


def test_one_training_is_refused():
    with pytest.raises(ValueError, match="at least two"):
        aggregate([[True, False]])


def trainings(rng, count: int, mean: float) -> list[np.ndarray]:
    """Outcomes of policies whose rates differ by training; an initial state is hard for all of them or none."""
    hard = rng.random(200)
    return [hard < rate for rate in rng.beta(20 * mean, 20 * (1 - mean), count)]


def test_equal_recipes_are_called_different_at_most_5_times_in_100():
    rng = np.random.default_rng(4)
    called, by_interval = 0, 0
    for _ in range(400):
        runs = trainings(rng, 10, 0.85)
        found = compare_recipes(runs[:5], runs[5:], resamples=300)
        called += found.verdict != "undecided"
        by_interval += not found.interval[0] <= 0 <= found.interval[1]
    assert called / 400 <= 0.07
    assert by_interval / 400 > 0.1  # what the test is for: the bootstrap trusts five trainings too much


def test_the_interval_of_the_difference_of_recipes_covers_the_truth():
    rng = np.random.default_rng(5)
    truth = trim_mean(rng.beta(18, 2, 100_000), 0.25) - trim_mean(rng.beta(16, 4, 100_000), 0.25)
    covered = 0
    for _ in range(200):
        better, worse = rng.beta(18, 2, 10), rng.beta(16, 4, 10)
        hard = rng.random(400)
        found = compare_recipes([hard < rate for rate in worse], [hard < rate for rate in better], resamples=500)
        covered += found.interval[0] <= truth <= found.interval[1]
    assert 0.85 <= covered / 200 <= 0.99


def test_a_clear_difference_of_recipes_is_called_with_five_trainings_and_not_with_three():
    rng = np.random.default_rng(6)
    good, bad = trainings(rng, 5, 0.95), trainings(rng, 5, 0.5)
    found = compare_recipes(bad, good)
    assert found.verdict == "second better" and found.p_value <= 0.02
    assert compare_recipes(good, bad).verdict == "first better"
    few = compare_recipes(bad[:3], good[:3])
    assert few.verdict == "undecided"
    assert few.p_value >= few.least_p_value == pytest.approx(0.1)


def test_recipes_that_were_trained_once_or_played_from_other_states_are_refused():
    run = np.ones(10, dtype=bool)
    for first, second in (([run], [run, run]), ([run, run], [run[:5], run[:5]])):
        with pytest.raises(ValueError, match="two trainings or more from the same initial states"):
            compare_recipes(first, second)
