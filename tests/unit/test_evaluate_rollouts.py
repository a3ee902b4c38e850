"""What an evaluation promises, on a point that reaches for targets: a whole simulation in a few lines of torch."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from apprentice import poses
from apprentice.demos.start_states import StartStates
from apprentice.errors import UserError
from apprentice.evaluate import results
from apprentice.evaluate.cfg import EvaluateCfg
from apprentice.evaluate.compare import compare
from apprentice.evaluate.journal import Journal
from apprentice.evaluate.rollouts import evaluate, identify
from apprentice.evaluate.sequential import clear_after
from apprentice.evaluate.statistics import success_interval
from apprentice.evaluate.trajectories import read_trajectory, saved_trajectories
from apprentice.evaluate.videos import render_videos, write_video

CFG = EvaluateCfg(rollouts=40, seed=100, held_steps=5, horizon=60, videos=2)


class PointWorld:
    """A point moves in the plane and presses a button at a target; some buttons are far, and some spring back."""

    task, variant, backend = "Point-Press", "d0", "toy"

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.task_info = SimpleNamespace(
            eef_names=["hand"],
            objects=["button"],
            symmetry={"button": 1},
            cubes=(),
            subtasks={"hand": (("button", "reach"), ("button", None))},
        )
        self.point, self.button = torch.zeros(num_envs, 2), torch.zeros(num_envs, 2)
        self.pressed, self.springs = torch.zeros(num_envs, dtype=torch.long), torch.zeros(num_envs, dtype=torch.bool)
        self.steps_taken = 0

    def reset(self, env_ids=None, seeds=None):
        for env_id, seed in zip(env_ids, seeds, strict=True):
            far = 5.0 if seed % 5 == 0 else 1.0
            self.button[env_id] = far * (torch.rand(2, generator=torch.Generator().manual_seed(seed)) + 0.2)
            self.springs[env_id] = seed % 7 == 0
            self.point[env_id], self.pressed[env_id] = 0.0, 0
        return self.observe()

    def set_state(self, state, env_ids):
        self.point[env_ids], self.button[env_ids] = state["hand/position"], state["button/position"]
        return self.observe()

    def step(self, actions, active=None):
        self.steps_taken += 1
        self.point += 0.05 * actions[:, :2].clamp(-1, 1) * active[:, None]
        pressing = self._near() & (actions[:, 2] > 0) & active
        self.pressed = torch.where(active, torch.where(pressing, self.pressed + 1, 0), self.pressed)
        return self.observe()

    def observe(self):
        def pose(xy):
            return poses.make_pose(torch.cat((xy, torch.zeros(len(xy), 1)), dim=1), torch.eye(3).expand(len(xy), 3, 3))

        return {
            "offset": self.button - self.point,
            "datagen_info/eef_pose/hand": pose(self.point),
            "datagen_info/object_pose/button": pose(self.button),
        }

    def success(self):
        return (self.pressed > 0) & ~(self.springs & (self.pressed > 3))

    def subtask_signals(self):
        return {"reach": self._near()}

    def state(self):
        return {"hand/position": self.point.clone(), "button/position": self.button.clone()}

    def _near(self):
        return (self.button - self.point).norm(dim=1) < 0.05


class Presser:
    """Goes to the button and presses; moves only while its own memory says that the rollout is young."""

    def __init__(self) -> None:
        self.calls = 0

    def start(self, num_envs):
        self.age = torch.zeros(num_envs, dtype=torch.long)

    def reset(self, env_ids, seeds):
        self.age[env_ids] = 0

    def act(self, obs, env_ids=None):
        self.calls += 1
        env_ids = torch.arange(len(self.age)) if env_ids is None else env_ids
        self.age[env_ids] += 1
        young = (self.age[env_ids] <= 50)[:, None]
        press = torch.where(obs["offset"].norm(dim=1, keepdim=True) < 0.05, 1.0, -1.0)
        return torch.cat((obs["offset"] * 20 * young, press), dim=1)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "policy.pth"
    path.write_bytes(b"weights")
    return path


def play(output: Path, checkpoint: Path, *, num_envs: int = 16, cfg: EvaluateCfg = CFG, policy=None):
    world = PointWorld(num_envs)
    return evaluate(policy or Presser(), world, cfg, checkpoint=checkpoint, output=output), world


def facts(directory: Path) -> list[dict]:
    """Rows of the evaluation without its times."""
    return [
        {key: value for key, value in row.items() if key not in ("wall_seconds", "run", "run_seconds")}
        for row in results.read_rollouts(directory)
    ]


@pytest.mark.parametrize("num_envs", [1, 7, 40])
def test_stopping_when_the_answer_is_clear_does_not_depend_on_who_ends_first(num_envs, tmp_path, checkpoint):
    cfg = replace(CFG, rollouts=200, clear_of=0.4)
    evaluation, _ = play(tmp_path / "out", checkpoint, num_envs=num_envs, cfg=cfg)
    in_order = [seed % 5 != 0 and seed % 7 != 0 for seed in range(100, 300)]
    assert evaluation.clear == "above"
    assert evaluation.rollouts == clear_after(in_order, 0.4) < 200
    assert evaluation.successes == sum(in_order[: evaluation.rollouts])
    assert len(results.read_rollouts(tmp_path / "out")) == evaluation.rollouts
    low, high = success_interval(evaluation.successes, evaluation.rollouts)
    assert evaluation.interval_95[1] - evaluation.interval_95[0] > high - low
    again, world = play(tmp_path / "out", checkpoint, num_envs=num_envs, cfg=cfg)
    assert again == evaluation
    assert world.steps_taken == 0


def test_each_rollout_ends_as_its_initial_state_decides(tmp_path, checkpoint):
    evaluation, _ = play(tmp_path / "out", checkpoint)
    for row in facts(tmp_path / "out"):
        expected = "reach" if row["seed"] % 5 == 0 else "final" if row["seed"] % 7 == 0 else None
        assert row["failed_subtask"] == expected
        assert row["success"] == (expected is None)
    seeds = range(100, 140)
    unreached = sum(seed % 5 == 0 for seed in seeds)
    lost = sum(seed % 7 == 0 and seed % 5 != 0 for seed in seeds)
    assert evaluation.successes == 40 - unreached - lost
    assert evaluation.per_subtask == [
        {"subtask": "reach", "entered": 40, "failures": unreached},
        {"subtask": "final", "entered": 40 - unreached, "failures": lost},
    ]
    assert evaluation.interval_95[0] < evaluation.success_rate < evaluation.interval_95[1]


def test_success_that_is_not_held_is_not_a_success(tmp_path, checkpoint):
    evaluation, _ = play(tmp_path / "out", checkpoint)
    assert evaluation.successes_any_step > evaluation.successes
    lost = [row for row in facts(tmp_path / "out") if row["failed_subtask"] == "final"]
    assert lost
    assert all(row["success_any_step"] and row["steps"] == CFG.horizon for row in lost)


@pytest.mark.parametrize("num_envs", [1, 3, 64])
def test_rollouts_do_not_depend_on_how_many_play_at_once(tmp_path, checkpoint, num_envs):
    play(tmp_path / "many", checkpoint, num_envs=16)
    play(tmp_path / "other", checkpoint, num_envs=num_envs)
    assert facts(tmp_path / "many") == facts(tmp_path / "other")


def test_no_environment_idles_while_rollouts_wait(tmp_path, checkpoint):
    evaluation, world = play(tmp_path / "out", checkpoint, num_envs=4)
    assert world.steps_taken <= evaluation.env_steps / 4 + CFG.horizon


def test_a_row_tells_where_the_objects_were_and_how_far_the_hand_went(tmp_path, checkpoint):
    play(tmp_path / "out", checkpoint)
    for row in pq.read_table(tmp_path / "out" / "rollouts.parquet").to_pylist():
        far = 5.0 if row["seed"] % 5 == 0 else 1.0
        button = far * (torch.rand(2, generator=torch.Generator().manual_seed(row["seed"])) + 0.2)
        np.testing.assert_allclose([row["button_x_m"], row["button_y_m"]], button, atol=1e-6)
        if row["success"]:
            assert row["path_length_m"] >= button.norm() - 0.06


class Killed(Exception):
    pass


class Killer:
    """Stands for a power cut after some rollouts."""

    def __init__(self, after: int) -> None:
        self.after = after

    def update(self, done, total, note=""):
        if done >= self.after:
            raise Killed


def test_a_killed_evaluation_continues_and_finds_the_same(tmp_path, checkpoint):
    play(tmp_path / "whole", checkpoint)
    out = tmp_path / "killed"
    for after in (7, 23):
        with pytest.raises(Killed):
            evaluate(Presser(), PointWorld(8), CFG, checkpoint=checkpoint, output=out, progress=Killer(after))
        with (out / "rollouts.jsonl").open("a") as file:
            file.write('{"index": 3, "seed"')  # a line that the power cut tore
    resumed, world = play(out, checkpoint)
    assert facts(out) == facts(tmp_path / "whole")
    assert world.steps_taken < resumed.env_steps
    assert {row["run"] for row in results.read_rollouts(out)} == {0, 1, 2}
    assert len(saved_trajectories(out / "trajectories")) == 4


def test_a_finished_evaluation_is_returned_and_not_played_again(tmp_path, checkpoint):
    first, _ = play(tmp_path / "out", checkpoint)
    again, world = play(tmp_path / "out", checkpoint)
    assert again == first
    assert world.steps_taken == 0
    identity = identify(CFG, checkpoint=checkpoint, task="Point-Press", variant="d0", backend="toy")
    assert results.read_finished(tmp_path / "out", identity) == first


def test_another_policy_or_setting_in_the_same_folder_is_refused(tmp_path, checkpoint):
    play(tmp_path / "out", checkpoint)
    with pytest.raises(UserError, match="seed 5"):
        play(tmp_path / "out", checkpoint, cfg=EvaluateCfg(rollouts=40, seed=5, held_steps=5, horizon=60))
    checkpoint.write_bytes(b"other weights")
    with pytest.raises(UserError, match="checkpoint_sha256"):
        play(tmp_path / "out", checkpoint)


def test_an_interrupted_evaluation_is_not_continued_with_another_policy(tmp_path, checkpoint):
    with pytest.raises(Killed):
        evaluate(Presser(), PointWorld(8), CFG, checkpoint=checkpoint, output=tmp_path / "out", progress=Killer(3))
    checkpoint.write_bytes(b"other weights")
    with pytest.raises(UserError, match="another --output"):
        play(tmp_path / "out", checkpoint)


def test_two_evaluations_do_not_write_the_same_folder(tmp_path, checkpoint):
    identity = identify(CFG, checkpoint=checkpoint, task="Point-Press", variant="d0", backend="toy")
    with Journal(tmp_path / "out", identity), pytest.raises(UserError, match="another one is running"):
        play(tmp_path / "out", checkpoint)


def test_a_missing_policy_is_named(tmp_path):
    with pytest.raises(UserError, match=r"policy\.pth"):
        play(tmp_path / "out", tmp_path)


def test_a_policy_that_returns_nan_fails_its_rollout_and_no_other(tmp_path, checkpoint):
    class Breaks(Presser):
        def act(self, obs, env_ids=None):
            actions = super().act(obs, env_ids)
            near = obs["offset"].norm(dim=1) < 0.05
            actions[near & (obs["datagen_info/object_pose/button"][:, 0, 3] < 0.6)] = torch.nan
            return actions

    evaluation, _ = play(tmp_path / "out", checkpoint, policy=Breaks())
    diverged = [row for row in facts(tmp_path / "out") if row["failed_subtask"] == "diverged"]
    assert diverged
    assert all(row["button_x_m"] < 0.6 for row in diverged)
    assert evaluation.successes > 0
    assert evaluation.per_subtask[-1] == {"subtask": "diverged", "entered": 40, "failures": len(diverged)}


@pytest.mark.parametrize("setting", [{"rollouts": 0}, {"held_steps": 0}, {"horizon": -1}, {"videos": -1}])
def test_impossible_settings_are_refused(setting):
    with pytest.raises(UserError, match="at least"):
        EvaluateCfg(**setting)


def test_the_result_is_json_with_an_interval(tmp_path, checkpoint):
    evaluation, _ = play(tmp_path / "out", checkpoint)
    written = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert written == asdict(evaluation)
    assert {"rollouts", "success_rate", "interval_95", "per_subtask", "env_steps_per_s", "backend"} <= written.keys()


def test_states_of_some_successes_and_failures_are_kept(tmp_path, checkpoint):
    play(tmp_path / "out", checkpoint)
    rows = {row["index"]: row for row in results.read_rollouts(tmp_path / "out")}
    kept = saved_trajectories(tmp_path / "out" / "trajectories")
    assert [path.name.split("_")[0] for path in kept] == ["failure", "failure", "success", "success"]
    for path in kept:
        row, states = rows[int(path.stem.split("_")[1])], read_trajectory(path)
        assert row["success"] == path.name.startswith("success")
        assert states["hand/position"].shape == (row["steps"] + 1, 2)
        np.testing.assert_array_equal(states["hand/position"][0], [0, 0])
        np.testing.assert_allclose(states["button/position"][:, 0], row["button_x_m"], atol=1e-6)


def draw(state):
    image = np.full((65, 80, 3), 255, np.uint8)
    (x, y), (u, v) = (np.clip(state[name][0] * 40, 0, 60).astype(int) for name in ("hand/position", "button/position"))
    image[v : v + 4, u : u + 4], image[y : y + 4, x : x + 4] = (200, 30, 30), (0, 0, 0)
    return image


def test_kept_rollouts_become_videos_that_last_as_long_as_they_did(tmp_path, checkpoint):
    play(tmp_path / "out", checkpoint)
    videos = render_videos(tmp_path / "out", draw, control_hz=20.0, every=2)
    assert len(videos) == 4
    for video in videos:
        trajectory = read_trajectory(tmp_path / "out" / "trajectories" / f"{video.stem}.npz")
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            frames = list(container.decode(stream))
        assert len(frames) == len(range(0, len(trajectory["hand/position"]), 2))
    changed = [video.stat().st_mtime_ns for video in videos]
    assert [video.stat().st_mtime_ns for video in render_videos(tmp_path / "out", draw, control_hz=20.0)] == changed


def test_a_video_without_frames_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        write_video([], tmp_path / "empty.mp4", fps=20)
    assert list(tmp_path.iterdir()) == []


def test_two_policies_are_compared_state_by_state(tmp_path, checkpoint):
    class Lazy(Presser):
        def act(self, obs, env_ids=None):
            actions = super().act(obs, env_ids)
            actions[obs["datagen_info/object_pose/button"][:, 0, 3] < 0.7, 2] = -1.0
            return actions

    play(tmp_path / "first", checkpoint)
    play(tmp_path / "second", checkpoint, policy=Lazy())
    comparison = compare([tmp_path / "first", tmp_path / "second"])
    first, second = (entry.evaluation for entry in comparison.entries)
    (pair,) = comparison.pairs
    assert pair.paired.only_second == 0
    assert pair.paired.only_first == first.successes - second.successes > 5
    assert pair.verdict == "first better"
    assert compare([tmp_path / "first", tmp_path / "first"]).pairs[0].verdict == "undecided"


def make_starts(count: int = 12) -> StartStates:
    """The point beside the button, and far from it, in turn; all of one episode, whose button springs back."""
    near = np.arange(count) % 3 == 0
    return StartStates(
        task="Point-Press",
        variant="d0",
        states={
            "hand/position": np.where(near[:, None], 0.9, -30.0).astype(np.float32) * np.ones((1, 2), np.float32),
            "button/position": np.ones((count, 2), np.float32),
        },
        seeds=np.full(count, 8, np.int64),
        kinds=tuple("near" if one else "far" for one in near),
    )


@pytest.mark.parametrize("num_envs", [1, 5, 16])
def test_rollouts_start_from_given_states(tmp_path, checkpoint, num_envs):
    cfg, starts = replace(CFG, rollouts=12), make_starts()
    arguments = {"checkpoint": checkpoint, "output": tmp_path / "out", "starts": starts}
    evaluation = evaluate(Presser(), PointWorld(num_envs), cfg, **arguments)
    rows = facts(tmp_path / "out")
    assert [(row["index"], row["seed"], row["kind"]) for row in rows] == [(k, 8, starts.kinds[k]) for k in range(12)]
    assert all(row["success"] == (row["kind"] == "near") for row in rows)
    low, high = success_interval(4, 4)
    assert evaluation.per_kind == [
        {"kind": "near", "rollouts": 4, "successes": 4, "success_rate": 1.0, "interval_95": [low, high]},
        {
            "kind": "far",
            "rollouts": 8,
            "successes": 0,
            "success_rate": 0.0,
            "interval_95": list(success_interval(0, 8)),
        },
    ]
    assert evaluation.states_sha256 == starts.sha256
    comparison = compare([tmp_path / "out", tmp_path / "out"])
    assert comparison.pairs[0].paired.rollouts == 12
    with pytest.raises(UserError, match="states_sha256"):
        other = starts.select(reversed(range(12)))
        evaluate(Presser(), PointWorld(num_envs), cfg, **arguments | {"starts": other})
    with pytest.raises(UserError, match="Expected 40 start states, one for each rollout, found 12"):
        evaluate(Presser(), PointWorld(num_envs), CFG, **arguments | {"output": tmp_path / "new"})


def test_evaluations_from_states_and_from_seeds_are_not_compared(tmp_path, checkpoint):
    cfg = replace(CFG, rollouts=12)
    play(tmp_path / "seeds", checkpoint, cfg=cfg)
    evaluate(Presser(), PointWorld(4), cfg, checkpoint=checkpoint, output=tmp_path / "states", starts=make_starts())
    with pytest.raises(UserError, match="same states_sha256"):
        compare([tmp_path / "seeds", tmp_path / "states"])


def test_an_evaluation_of_before_start_states_is_still_read(tmp_path, checkpoint):
    evaluation, _ = play(tmp_path / "out", checkpoint)
    path = tmp_path / "out" / "evaluation.json"
    old = {
        key: value for key, value in json.loads(path.read_text()).items() if key not in ("states_sha256", "per_kind")
    }
    path.write_text(json.dumps(old))
    again, world = play(tmp_path / "out", checkpoint)
    assert (again, world.steps_taken) == (evaluation, 0)


def test_evaluations_of_different_initial_states_are_not_compared(tmp_path, checkpoint):
    play(tmp_path / "first", checkpoint)
    play(tmp_path / "second", checkpoint, cfg=EvaluateCfg(rollouts=40, seed=7, held_steps=5, horizon=60))
    with pytest.raises(UserError, match="same initial states"):
        compare([tmp_path / "first", tmp_path / "second"])
    with pytest.raises(UserError, match=r"no evaluation\.json"):
        compare([tmp_path / "first", tmp_path / "nowhere"])
