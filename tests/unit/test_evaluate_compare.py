"""What a comparison of several evaluations may rely on, with outcomes chosen by hand."""

import json
import re

import numpy as np
import pytest
from invented_evaluation import training, write_evaluation
from test_report_page import plain

from apprentice.cli.compare import main
from apprentice.errors import UserError
from apprentice.evaluate.compare import as_dict, compare, write
from apprentice.report import build_report


def outcomes(rate: float, seed: int = 0, count: int = 100) -> np.ndarray:
    return np.random.default_rng(seed).random(count) < rate


def folders(tmp_path) -> list:
    """Two recipes of four trainings each, and a policy of which nothing is known."""
    found = []
    for name, rate, demos in (("much", 0.97, 900), ("little", 0.5, 90)):
        for seed in range(4):
            about = training(name * 3, seed, demos)
            found.append(write_evaluation(tmp_path / f"{name}_{seed}", outcomes(rate, seed), training=about))
    return [*found, write_evaluation(tmp_path / "stranger", outcomes(0.9, 9))]


def test_trainings_of_one_recipe_are_recognised_and_taken_together(tmp_path):
    comparison = compare(folders(tmp_path))
    assert [len(recipe.entries) for recipe in comparison.recipes] == [4, 4]
    assert [recipe.name for recipe in comparison.recipes] == ["recipe muchmu (900 demos)", "recipe little (90 demos)"]
    (pair,) = comparison.recipe_pairs
    assert pair.verdict == "first better"
    assert "recipe muchmu (900 demos) succeeds more often than recipe little (90 demos), over 4 and 4" in pair.sentence
    assert len(comparison.pairs) == 36


def test_the_same_training_on_another_backend_or_again_is_not_another_training(tmp_path):
    about = training("recipe", 0)
    once = write_evaluation(tmp_path / "native", outcomes(0.9), training=about)
    again = write_evaluation(tmp_path / "again", outcomes(0.8), training=about)
    other = write_evaluation(tmp_path / "other", outcomes(0.8), training=training("recipe", 1), backend="ovphysx")
    comparison = compare([once, again, other])
    assert comparison.recipes == ()
    assert comparison.recipe_pairs == ()


def test_an_evaluation_that_was_written_before_trainings_were_named_is_still_read(tmp_path):
    found = folders(tmp_path)[:2]
    for folder in found:
        path = folder / "evaluation.json"
        fields = json.loads(path.read_text())
        del fields["training"]
        path.write_text(json.dumps(fields))
    assert compare(found).recipes == ()


def test_three_trainings_each_are_too_few_and_the_sentence_says_so(tmp_path):
    kept = [folder for folder in folders(tmp_path) if folder.name[-1] in "012"]
    (pair,) = compare(kept).recipe_pairs
    assert pair.verdict == "undecided"
    assert "so few cannot, whatever their rates: train each at least four times" in pair.sentence


@pytest.mark.parametrize(
    ("other", "text"),
    [({"seed": 7}, "same initial states"), ({"horizon": 300}, "same horizon"), ({"variant": "d1"}, "same variant")],
)
def test_rollouts_that_are_not_paired_are_refused(tmp_path, other, text):
    one, two = (write_evaluation(tmp_path / name, outcomes(0.9)) for name in ("one", "two"))
    three = write_evaluation(tmp_path / "three", outcomes(0.9), **other)
    with pytest.raises(UserError, match=text):
        compare([one, two, three])
    with pytest.raises(UserError, match="at least two"):
        compare([one])


def test_folders_of_one_name_are_told_apart(tmp_path):
    found = [write_evaluation(tmp_path / name / "evaluate", outcomes(0.9)) for name in ("first", "second")]
    assert [entry.name for entry in compare(found).entries] == ["first/evaluate", "second/evaluate"]


def test_a_profile_ends_at_the_success_rate_and_only_rises(tmp_path):
    for profile in as_dict(compare(folders(tmp_path)))["profiles"]:
        share = np.array(profile["share"])
        assert (np.diff(share) >= 0).all() and share[0] == 0
        assert profile["steps"][-1] == 600
    stranger = next(one for one in as_dict(compare([tmp_path / "stranger", tmp_path / "much_0"]))["profiles"])
    assert stranger["share"][-1] == outcomes(0.9, 9).mean()
    assert stranger["share"][29] == 0  # at 145 steps; the shortest success took 150


def test_the_page_is_drawn_from_the_result_file_and_says_what_the_numbers_carry(tmp_path):
    write(compare(folders(tmp_path)), tmp_path / "out")
    page = build_report(tmp_path / "out")
    text = plain(page)
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    called = sum(pair["verdict"] != "undecided" for pair in found["pairs"])
    assert 0 < called < 36
    assert f"36 pairs of policies, rollout by rollout from the same initial states: {called} differ" in text
    assert re.search(r"recipe little \(90 demos\) against recipe muchmu \(900 demos\)\u2212[45]\d\.\d", text)
    assert "little_3 against much_0" in text
    assert "training: recipe" in text.lower()


def test_damaged_or_odd_results_do_not_break_the_page(tmp_path):
    path = write(compare(folders(tmp_path)), tmp_path / "out")
    whole = json.loads(path.read_text())
    for key in whole:
        for value in (None, "text", [], [{}], -1):
            path.write_text(json.dumps(whole | {key: value}))
            assert "Differences" in plain(build_report(tmp_path / "out"))
    path.write_text('{"task": "Sta')
    with pytest.raises(UserError, match="compare again"):
        build_report(tmp_path / "out")


def test_two_evaluations_are_compared_on_the_command_line(tmp_path, capsys):
    one, two = folders(tmp_path)[3:5]
    main((one, two), json=tmp_path / "numbers.json")
    assert "much_3 succeeds more often than little_0 on these 100 initial states (+" in capsys.readouterr().out
    assert json.loads((tmp_path / "numbers.json").read_text())["verdict"] == "first better"


def test_many_evaluations_are_compared_on_the_command_line(tmp_path, capsys):
    main(tuple(folders(tmp_path)), output=tmp_path / "out")
    said = capsys.readouterr().out
    assert "of 36 pairs of policies differ" in said
    assert "trained 4 times: interquartile mean" in said
    assert (tmp_path / "out" / "report.html").exists()
    with pytest.raises(UserError, match="two evaluations with --json"):
        main(tuple(folders(tmp_path / "again")), json=tmp_path / "numbers.json")
