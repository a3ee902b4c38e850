"""What is kept of failures, and what is said of the initial states that they began from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from invented_evaluation import write_evaluation
from test_evaluate_rollouts import CFG, Killed, Killer, PointWorld, Presser, checkpoint, play  # noqa: F401
from test_report_page import plain

from apprentice.demos.start_states import read_start_states
from apprentice.evaluate import failures, results
from apprentice.evaluate.initial_states import dependences, describe, energy_test, place_vectors, success_map
from apprentice.evaluate.rollouts import evaluate
from apprentice.evaluate.traces import read_traces
from apprentice.report import build_report


def test_every_failure_leaves_a_trace_from_its_first_to_its_last_step(tmp_path, checkpoint):  # noqa: F811
    play(tmp_path / "out", checkpoint)
    rows = {row["index"]: row for row in results.read_rollouts(tmp_path / "out")}
    traces = read_traces(tmp_path / "out", success=False)
    assert [trace.rollout for trace in traces] == [index for index, row in rows.items() if not row["success"]]
    for trace in traces:
        row = rows[trace.rollout]
        assert trace.eefs["hand"].shape == trace.objects["button"].shape == (row["steps"] + 1, 7)
        np.testing.assert_array_equal(trace.eefs["hand"][0], [0, 0, 0, 0, 0, 0, 1])
        np.testing.assert_allclose(trace.objects["button"][:, 0], row["button_x_m"], atol=1e-6)
        length = np.linalg.norm(np.diff(trace.eefs["hand"][:, :3], axis=0), axis=1).sum()
        assert length == pytest.approx(row["path_length_m"], abs=1e-4)
        near = np.linalg.norm(trace.eefs["hand"][:, :2] - trace.objects["button"][:, :2], axis=1) < 0.05
        np.testing.assert_array_equal(trace.reached[:, 0], np.maximum.accumulate(near))
        assert trace.reached[-1, 0] == (row["failed_subtask"] != "reach")


def test_successes_leave_a_trace_among_the_first_rollouts_only(tmp_path, checkpoint, monkeypatch):  # noqa: F811
    monkeypatch.setattr("apprentice.evaluate.traces.SUCCESSES", 20)
    play(tmp_path / "out", checkpoint)
    good = [row["index"] for row in results.read_rollouts(tmp_path / "out") if row["success"]]
    kept = [trace.rollout for trace in read_traces(tmp_path / "out", success=True)]
    assert kept == [index for index in good if index < 20] != good


def test_a_killed_evaluation_ends_with_the_same_traces_and_failed_states(tmp_path, checkpoint):  # noqa: F811
    play(tmp_path / "whole", checkpoint)
    for after in (7, 23):
        with pytest.raises(Killed):
            evaluate(
                Presser(), PointWorld(8), CFG, checkpoint=checkpoint, output=tmp_path / "out", progress=Killer(after)
            )
    play(tmp_path / "out", checkpoint)
    for success in (False, True):
        pair = [read_traces(tmp_path / name, success=success) for name in ("whole", "out")]
        for one, other in zip(*pair, strict=True):
            assert one.rollout == other.rollout
            np.testing.assert_array_equal(one.eefs["hand"], other.eefs["hand"])
    one, other = (read_start_states(tmp_path / name / failures.FAILED_STATES) for name in ("whole", "out"))
    assert one.sha256 == other.sha256


def test_failed_rollouts_can_be_begun_again_from_their_states(tmp_path, checkpoint):  # noqa: F811
    evaluation, _ = play(tmp_path / "out", checkpoint)
    starts = read_start_states(tmp_path / "out" / failures.FAILED_STATES)
    failed = [row for row in results.read_rollouts(tmp_path / "out") if not row["success"]]
    assert starts.kinds == ("initial",) * len(failed)
    assert starts.seeds.tolist() == [row["seed"] for row in failed]
    cfg = replace(CFG, rollouts=len(starts))
    again = evaluate(Presser(), PointWorld(3), cfg, checkpoint=checkpoint, output=tmp_path / "again", starts=starts)
    assert again.successes == 0
    assert [row["failed_subtask"] for row in results.read_rollouts(tmp_path / "again")] == [
        row["failed_subtask"] for row in failed
    ]
    assert evaluation.successes > 0


def test_without_failures_there_are_no_failed_states(tmp_path, checkpoint):  # noqa: F811
    cfg = replace(CFG, rollouts=3, seed=101)  # neither far nor springy
    evaluation, _ = play(tmp_path / "out", checkpoint, cfg=cfg)
    assert evaluation.successes == 3
    assert not (tmp_path / "out" / failures.FAILED_STATES).exists()
    assert failures.read(tmp_path / "out")["initial_states"]["sentence"] == "No rollout failed."
    assert 'id="failures"' not in build_report(tmp_path / "out").read_text(encoding="utf-8")


def test_that_far_buttons_fail_is_found_and_stands_on_the_page(tmp_path, checkpoint):  # noqa: F811
    play(tmp_path / "out", checkpoint, cfg=replace(CFG, rollouts=80))
    found = failures.read(tmp_path / "out")
    assert found["initial_states"]["dependence"][0]["what"] == "button"
    assert found["initial_states"]["dependence"][0]["p_holm"] < 0.01
    tried, won = (np.array(found["initial_states"]["maps"]["button"][key]) for key in ("tried", "won"))
    assert tried.sum() == 80 and won.sum() == 80 - found["failures"]
    assert won[0, 0] / tried[0, 0] > won[-1, -1] / tried[-1, -1]
    text = plain(build_report(tmp_path / "out"))
    assert "Failing depends on where objects start: button (p = " in text
    assert "Source demos" not in text


def poses(rng, count: int) -> np.ndarray:
    """Upright poses spread over a table. Shape (count, 7)."""
    half = rng.uniform(-np.pi, np.pi, count) / 2
    zero = np.zeros(count)
    return np.column_stack(
        (rng.uniform(0.4, 0.6, count), rng.uniform(-0.1, 0.1, count), zero, zero, zero, np.sin(half), np.cos(half))
    )


def test_chance_is_called_dependence_at_most_5_times_in_100():
    rng = np.random.default_rng(0)
    called, any_called = 0, 0
    for seed in range(300):
        vectors = place_vectors({"cube": poses(rng, 60)}, {"cube": 4})
        called += energy_test(vectors["cube"], rng.random(60) < 0.8, permutations=200, seed=seed) < 0.05
    for seed in range(60):
        vectors = place_vectors({name: poses(rng, 60) for name in "abc"}, {})
        found = dependences(vectors, rng.random(60) < 0.7, seed=seed)
        assert len(found) == 6
        any_called += found[0].p_holm < 0.05
    assert 0.02 <= called / 300 <= 0.08
    assert any_called / 60 <= 0.12


@pytest.mark.parametrize("what", ["a", "distance of a and b"])
def test_what_failing_depends_on_is_named(what):
    rng = np.random.default_rng(1)
    initial = {name: poses(rng, 300) for name in "ab"}
    apart = np.linalg.norm(initial["a"][:, :2] - initial["b"][:, :2], axis=1)
    hard = initial["a"][:, 0] > 0.55 if what == "a" else apart < 0.06
    success = rng.random(300) < np.where(hard, 0.4, 0.95)
    assert dependences(place_vectors(initial, {}), success)[0].what == what
    assert what in describe(initial, success, {})["sentence"]


def test_turns_that_look_alike_count_as_one():
    rng = np.random.default_rng(2)
    pose = poses(rng, 400)
    yaw = 2 * np.arctan2(pose[:, 5], pose[:, 6])
    success = np.cos(4 * yaw) > -0.5
    (as_it_is,), (as_round,) = (dependences(place_vectors({"cube": pose}, {"cube": n}), success) for n in (4, 1))
    assert as_it_is.p_value < 0.001 < as_round.p_value
    turns = success_map(pose, success, 4)["yaw"]
    assert sum(turns["tried"]) == 400
    assert turns["won"][0] < turns["won"][len(turns["won"]) // 2]


def test_an_object_that_always_starts_at_one_place_is_not_tested():
    pose = np.tile([0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], (50, 1))
    success = np.arange(50) % 3 > 0
    found = describe({"socket": pose}, success, {})
    assert found["dependence"] == []
    assert sum(map(sum, found["maps"]["socket"]["tried"])) == 50


def test_few_failures_say_nothing_and_the_sentence_says_that(tmp_path):
    folder = write_evaluation(tmp_path / "out", [True] * 40 + [False] * 3)
    found = failures.analyse(folder, results.read(folder), results.read_rollouts(folder), {})
    assert "With 3 failures of 43 rollouts it cannot be said" in found["initial_states"]["sentence"]
    assert json.loads((folder / "failures.json").read_text()) == found
