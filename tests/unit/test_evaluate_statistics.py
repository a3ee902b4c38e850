"""What an evaluation may claim from its numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from apprentice.evaluate.several import compare_all, holm
from apprentice.evaluate.statistics import compare_paired, success_interval


def outcomes(both: int, only_first: int, only_second: int, neither: int) -> tuple[list[bool], list[bool]]:
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return first, second


@given(trials=st.integers(1, 2000), data=st.data())
def test_the_interval_of_a_rate_is_statsmodels_wilson_interval(trials, data):
    successes = data.draw(st.integers(0, trials))
    reference = proportion_confint(successes, trials, alpha=0.05, method="wilson")
    np.testing.assert_allclose(success_interval(successes, trials), reference, atol=1e-9)


def test_a_perfect_score_of_few_rollouts_is_not_certainty():
    low, high = success_interval(10, 10)
    assert low < 0.75
    assert high == pytest.approx(1.0)


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 4)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match="successes <= trials"):
        success_interval(successes, trials)


@pytest.mark.parametrize(("rate", "trials"), [(0.5, 100), (0.95, 100), (0.9, 400)])
def test_the_interval_covers_the_true_rate_about_95_times_in_100(rate, trials):
    counts = np.random.default_rng(0).binomial(trials, rate, size=2000)
    ends = {int(count): success_interval(int(count), trials) for count in np.unique(counts)}
    covered = np.mean([ends[int(count)][0] <= rate <= ends[int(count)][1] for count in counts])
    assert 0.925 <= covered <= 0.985


counts = st.tuples(*[st.integers(0, 60)] * 4).filter(lambda table: sum(table) > 0)


@given(table=counts)
def test_the_paired_test_is_statsmodels_exact_mcnemar(table):
    both, only_first, only_second, neither = table
    reference = mcnemar([[both, only_first], [only_second, neither]], exact=True).pvalue
    result = compare_paired(*outcomes(*table))
    assert result.p_value == pytest.approx(min(1.0, float(reference)), abs=1e-9)


@given(table=counts)
def test_swapping_the_policies_mirrors_the_comparison(table):
    first, second = outcomes(*table)
    forward, backward = compare_paired(first, second), compare_paired(second, first)
    assert forward.difference == pytest.approx(-backward.difference)
    np.testing.assert_allclose(forward.interval, [-backward.interval[1], -backward.interval[0]], atol=1e-12)
    assert forward.interval[0] <= forward.difference <= forward.interval[1]
    mirrored = {"first better": "second better", "second better": "first better", "undecided": "undecided"}
    assert backward.verdict == mirrored[forward.verdict]


@given(table=counts)
def test_no_difference_is_called_that_the_test_or_the_interval_does_not_carry(table):
    result = compare_paired(*outcomes(*table))
    low, high = result.interval
    if result.verdict != "undecided":
        assert result.p_value < 0.05
        assert low > 0 or high < 0


def test_newcombes_published_example_is_reproduced():
    # Newcombe 1998, Statistics in Medicine 17:2635-2650, method 10; the difference there is first minus second
    low, high = compare_paired(*outcomes(36, 12, 2, 0)).interval
    np.testing.assert_allclose((-high, -low), (0.0569, 0.3404), atol=1e-4)


def test_a_small_gap_in_few_rollouts_stays_undecided_and_says_so():
    result = compare_paired(*outcomes(80, 5, 9, 6))
    assert result.verdict == "undecided"
    assert "do not show a difference" in result.sentence()
    assert "cannot rule out" in result.sentence()


def test_a_clear_gap_is_named_with_its_interval():
    result = compare_paired(*outcomes(60, 2, 30, 8))
    assert result.verdict == "second better"
    assert result.difference == pytest.approx(0.28)
    assert result.sentence("A", "B").startswith("B succeeds more often than A")


@pytest.mark.parametrize(
    "chances", [(0.80, 0.04, 0.12, 0.04), (0.40, 0.20, 0.10, 0.30), (0.93, 0.01, 0.05, 0.01), (0.60, 0.0, 0.20, 0.20)]
)
def test_the_paired_interval_covers_the_true_difference_about_95_times_in_100(chances):
    tables = np.random.default_rng(1).multinomial(200, chances, size=1500)
    covered = 0
    for table in tables:
        low, high = compare_paired(*outcomes(*map(int, table))).interval
        covered += low <= chances[2] - chances[1] <= high
    assert 0.925 <= covered / len(tables) <= 0.985


def test_equal_policies_are_called_different_at_most_5_times_in_100():
    tables = np.random.default_rng(2).multinomial(200, [0.8, 0.07, 0.07, 0.06], size=1500)
    called = sum(compare_paired(*outcomes(*map(int, table))).verdict != "undecided" for table in tables)
    assert called / len(tables) <= 0.05


def test_outcomes_of_different_length_are_refused():
    with pytest.raises(ValueError, match="equally long"):
        compare_paired([True], [True, False])


@pytest.mark.parametrize("pairs", [1, 2, 7, 45])
def test_the_correction_is_statsmodels_holm(pairs):
    p_values = np.random.default_rng(pairs).random(pairs) ** 4
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1])


def test_holms_correction_of_four_by_hand():
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, and no less than that for 0.04
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_of_equal_policies_any_pair_is_called_different_at_most_5_times_in_100():
    rng = np.random.default_rng(3)
    false_alarms, uncorrected = 0, 0
    for _ in range(400):
        # five policies that find the same states hard, and are equally good
        chance = rng.beta(4, 1, size=100)
        pairs = compare_all({str(policy): rng.random(100) < chance for policy in range(5)})
        false_alarms += any(pair.verdict != "undecided" for pair in pairs)
        uncorrected += any(pair.paired.verdict != "undecided" for pair in pairs)
    assert false_alarms / 400 <= 0.05
    assert uncorrected / 400 > 0.08  # what the correction is for


def test_a_difference_that_only_stands_alone_is_not_called_among_many_and_says_so():
    first, second = outcomes(80, 3, 13, 4)
    assert compare_paired(first, second).verdict == "second better"
    rest = {f"policy {number}": first for number in range(4)}
    pair = next(
        pair for pair in compare_all({"A": first, "B": second, **rest}) if (pair.first, pair.second) == ("A", "B")
    )
    assert pair.verdict == "undecided"
    assert "among 15 pairs it is not" in pair.sentence


def test_a_sentence_gives_the_better_one_a_positive_difference():
    assert "A succeeds more often than B on these 100 initial states (+28.0 points [" in compare_paired(
        *outcomes(60, 30, 2, 8)
    ).sentence("A", "B")
