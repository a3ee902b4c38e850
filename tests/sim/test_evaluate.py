"""Evaluation on the real simulator: a scripted stacker plays the Franka stack task."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from apprentice import poses
from apprentice.demos.start_states import read_start_states
from apprentice.evaluate.cfg import EvaluateCfg
from apprentice.evaluate.compare import compare
from apprentice.evaluate.failures import FAILED_STATES
from apprentice.evaluate.failures import read as read_failures
from apprentice.evaluate.results import read, read_rollouts
from apprentice.evaluate.rollouts import evaluate
from apprentice.evaluate.traces import read_traces
from apprentice.evaluate.trajectories import read_trajectory, saved_trajectories

TASK, HORIZON = "Apprentice-Stack-Franka", 220
EVALUATIONS = {"first": (12, 0), "shifted": (8, 4)}
"""Rollouts and first seed of each evaluation; the second plays the last eight of the first in other environments."""
SAME_SEEDS = range(4, 12)
CARRIED_M = 0.0406
"""Height of a cube."""


class Stacker:
    """Picks cube 2, puts it on cube 1, then cube 3 on top: a list of waypoints, walked by each environment alone."""

    def start(self, num_envs):
        self.stage = torch.zeros(num_envs, dtype=torch.long)
        self.waited = torch.zeros(num_envs, dtype=torch.long)

    def reset(self, env_ids, seeds):
        self.stage[env_ids] = 0
        self.waited[env_ids] = 0

    def act(self, obs, env_ids=None):
        env_ids = torch.arange(len(self.stage)) if env_ids is None else env_ids
        hand = obs["datagen_info/eef_pose/franka"]
        cubes = torch.stack([obs[f"datagen_info/object_pose/cube_{number}"] for number in (1, 2, 3)], dim=1)
        rows, pair, step = torch.arange(len(env_ids)), self.stage[env_ids] // 8, self.stage[env_ids] % 8
        done = pair > 1
        pair = pair.clamp(max=1)
        taken, below = cubes[rows, pair + 1], cubes[rows, pair]
        at = torch.where((step < 4)[:, None], poses.position(taken), poses.position(below))
        # over it, down, close, up, over the other, down, open, up
        height = torch.tensor([0.1, 0.0, 0.0, 0.12, 0.15, CARRIED_M + 0.004, CARRIED_M, 0.2])[step]
        target = torch.cat((at[:, :2], (at[:, 2] + height)[:, None]), dim=1)
        target[step == 3, 2] = 0.2
        offset = target - poses.position(hand)
        offset[:, :2] = torch.where(((step == 2) | (step == 3))[:, None], 0.0, offset[:, :2])
        open_hand = (step < 2) | (step > 5)
        turn = self._turn(hand, torch.where((step < 3)[:, None, None], taken, below))
        actions = torch.cat((offset * 4, torch.zeros(len(rows), 2), turn[:, None] * 1.0), dim=1).clamp(-1, 1)
        actions = torch.cat((actions, torch.where(open_hand, 1.0, -1.0)[:, None]), dim=1)
        self._advance(env_ids, step, offset, done)
        return torch.where(done[:, None], torch.tensor([0.0] * 6 + [1.0]), actions)

    def _turn(self, hand, cube):
        """Angle about the vertical to the nearest of the cube's four sides. Shape (n,)."""
        angle = torch.atan2(cube[:, 1, 0], cube[:, 0, 0]) - torch.atan2(hand[:, 1, 0], hand[:, 0, 0])
        quarter = torch.pi / 2
        return (angle + quarter / 2) % quarter - quarter / 2

    def _advance(self, env_ids, step, offset, done):
        waiting = (step == 2) | (step == 6)
        self.waited[env_ids] = torch.where(waiting, self.waited[env_ids] + 1, 0)
        near = offset.norm(dim=1) < torch.where(step == 5, 0.006, 0.01)
        arrived = torch.where(waiting, self.waited[env_ids] >= 10, near) & ~done
        self.stage[env_ids] += arrived


def main(directory: Path) -> None:
    """What the tests below look at; a simulation needs a process of its own."""
    from apprentice.tasks.session import open_session

    (directory / "policy.pth").write_bytes(b"a scripted stacker")
    with open_session(TASK, num_envs=5) as session:
        for name, (rollouts, seed) in EVALUATIONS.items():
            cfg = EvaluateCfg(rollouts=rollouts, seed=seed, horizon=HORIZON, videos=1)
            evaluate(Stacker(), session, cfg, checkpoint=directory, output=directory / name)
        failed = read_start_states(directory / "first" / FAILED_STATES)
        cfg = EvaluateCfg(rollouts=len(failed), horizon=HORIZON, videos=0)
        evaluate(Stacker(), session, cfg, checkpoint=directory, output=directory / "again", starts=failed)
        session.reset(list(range(5)), [3] * 5)
        (directory / "initial.json").write_text(
            json.dumps(session.observe()["datagen_info/object_pose/cube_3"][:, :3, 3].tolist())
        )


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("evaluate")
    subprocess.run([sys.executable, __file__, str(directory)], check=True, timeout=1500)
    return directory


def test_a_scripted_stacker_is_found_to_stack(played):
    evaluation = read(played / "first")
    assert (evaluation.rollouts, evaluation.backend, evaluation.task) == (12, "native", TASK)
    assert evaluation.successes >= 4
    assert evaluation.interval_95[0] < evaluation.success_rate < evaluation.interval_95[1]
    assert [row["subtask"] for row in evaluation.per_subtask] == ["grasp_1", "stack_1", "grasp_2", "final"]
    assert sum(row["failures"] for row in evaluation.per_subtask) == 12 - evaluation.successes
    for row in read_rollouts(played / "first"):
        assert row["steps"] <= HORIZON
        assert row["success"] or row["steps"] == HORIZON
        assert not row["success"] or row["path_length_m"] > 0.5


def test_a_seed_gives_the_same_rollout_in_any_environment_at_any_time(played):
    first, shifted = ({row["seed"]: row for row in read_rollouts(played / name)} for name in EVALUATIONS)
    for seed in SAME_SEEDS:
        for key in first[seed]:
            if key not in ("index", "wall_seconds", "run", "run_seconds"):
                assert first[seed][key] == shifted[seed][key], f"{key} of seed {seed}"


def test_initial_states_are_those_of_the_seeds(played):
    (row,) = [row for row in read_rollouts(played / "first") if row["seed"] == 3]
    positions = np.array(json.loads((played / "initial.json").read_text()))
    np.testing.assert_array_equal(positions, np.broadcast_to(positions[0], positions.shape))
    np.testing.assert_allclose([row[f"cube_3_{axis}_m"] for axis in "xyz"], positions[0], atol=1e-6)


def test_kept_states_show_the_tower_that_was_built(played):
    (success,) = [path for path in saved_trajectories(played / "first" / "trajectories") if "success" in path.name]
    states = read_trajectory(success)
    last = {number: states[f"rigid_object/cube_{number}/root_pose"][-1] for number in (1, 2, 3)}
    for upper, lower in ((2, 1), (3, 2)):
        assert last[upper][2] - last[lower][2] == pytest.approx(CARRIED_M, abs=0.005)
        assert np.linalg.norm(last[upper][:2] - last[lower][:2]) < 0.04


def test_failures_leave_traces_from_which_they_can_be_begun_again_bit_for_bit(played):
    failed = [row for row in read_rollouts(played / "first") if not row["success"]]
    traces = read_traces(played / "first", success=False)
    assert [trace.rollout for trace in traces] == [row["index"] for row in failed]
    for trace, row in zip(traces, failed, strict=True):
        hand = trace.eefs["franka"][:, :3]
        assert hand.shape == (row["steps"] + 1, 3)
        length = np.linalg.norm(np.diff(hand.astype(np.float64), axis=0), axis=1).sum()
        assert length == pytest.approx(row["path_length_m"], abs=1e-3)
        np.testing.assert_allclose(
            trace.objects["cube_2"][0, :3], [row[f"cube_2_{axis}_m"] for axis in "xyz"], atol=1e-6
        )
        reached = dict(zip(["grasp_1", "stack_1", "grasp_2"], trace.reached[-1].tolist(), strict=True))
        assert not reached.get(row["failed_subtask"], False)
    for first, again in zip(traces, read_traces(played / "again", success=False), strict=True):
        for name, pose in first.objects.items():
            np.testing.assert_array_equal(again.objects[name], pose)
    assert [row["failed_subtask"] for row in read_rollouts(played / "again")] == [
        row["failed_subtask"] for row in failed
    ]


def test_failures_are_looked_at_when_the_evaluation_ends(played):
    found = read_failures(played / "first")
    assert found["failures"] == 12 - read(played / "first").successes > 0
    assert found["symmetry"] == {"cube_1": 4, "cube_2": 4, "cube_3": 4}
    assert sum(map(sum, found["initial_states"]["maps"]["cube_1"]["tried"])) == 12


def test_a_policy_is_not_called_better_than_itself(played):
    paired = compare([played / "first", played / "first"]).pairs[0].paired
    assert (paired.only_first, paired.only_second, paired.verdict) == (0, 0, "undecided")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
