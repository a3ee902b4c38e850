"""check-task finds what is wrong with a task. The task here is a hand that goes where it is told, with one fault."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from apprentice.pipeline.check_task import check_task
from apprentice.pipeline.task_checks.actions import actions
from apprentice.pipeline.task_checks.check import Check, CheckTaskCfg
from apprentice.pipeline.task_checks.configuration import configuration
from apprentice.pipeline.task_checks.playing import repeatable
from apprentice.pipeline.task_checks.resets import resets
from apprentice.poses import make_pose, position

N = 4
CFG = CheckTaskCfg(num_envs=N)


class Reach:
    """Environments in which a hand reaches for a ball. Actions are displacements (m) and a gripper command."""

    control_hz, num_envs = 20.0, N

    def __init__(self, fault: str = "") -> None:
        self.fault, self.env = fault, self
        self.cfg = SimpleNamespace(object_reset_ranges={"ball": {"x": (0.3, 0.5), "y": (0.0, 0.1)}})
        self.task_info = info()
        self.resets = 0

    def reset(self, env_ids: list[int], seeds: list[int]) -> None:
        self.hand, self.ball = torch.zeros(N, 3), torch.zeros(N, 3)
        for env_id, seed in zip(env_ids, seeds, strict=True):
            draw = torch.Generator().manual_seed(seed)
            self.ball[env_id, 0] = 0.3 + 0.2 * torch.rand(1, generator=draw)
            self.ball[env_id, 1] = 0.1 * torch.rand(1, generator=draw)
        self.resets += 1
        if self.fault == "unseeded":
            self.ball += 1e-4 * self.resets
        if self.fault == "range":
            self.ball[:, 1] += 0.2

    def step(self, action: torch.Tensor) -> None:
        reach = action[:, :3].clone()
        if self.fault == "short":
            reach = reach * (self.hand.norm(dim=-1, keepdim=True) < 0.2)
        self.hand = self.hand + reach
        if self.fault == "falls":
            self.ball[:, 2] -= 0.01
        if self.fault == "drifts":
            self.hand[:, 2] -= 0.001
        if self.fault == "remembers":
            self.hand = self.hand + 1e-6 * self.resets

    def state(self) -> dict[str, torch.Tensor]:
        return {"hand": self.hand.clone(), "ball": self.ball.clone()}

    def eef_poses(self) -> dict[str, torch.Tensor]:
        return {"hand": make_pose(self.hand, torch.eye(3).expand(N, 3, 3))}

    def object_poses(self) -> dict[str, torch.Tensor]:
        return {"ball": make_pose(self.ball, torch.eye(3).expand(N, 3, 3))}

    def base_pose(self) -> None:
        return None  # it stands where it stands

    def neutral_actions(self) -> torch.Tensor:
        return torch.tensor([[0.0, 0.0, 0.0, 1.0]]).repeat(N, 1)

    def subtask_signals(self) -> dict[str, torch.Tensor]:
        return {"touched": torch.full((N,), self.fault == "early")}

    def success(self) -> torch.Tensor:
        return torch.full((N,), self.fault == "done")

    def target_eef_poses_to_actions(self, targets: Any, grippers: Any) -> torch.Tensor:
        return torch.cat((position(targets["hand"]) - self.hand, grippers["hand"]), -1)

    def action_to_target_eef_pose(self, action: torch.Tensor) -> dict[str, torch.Tensor]:
        scale = 0.5 if self.fault == "scaled" else 1.0
        # this hand does not turn: what was asked of its rotation is given back
        asked = make_pose(self.hand + scale * action[:, :3], torch.eye(3).expand(N, 3, 3))
        return {"hand": asked}

    def actions_to_gripper_actions(self, action: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"hand": action[:, 3:]}


def info(**changes: Any) -> Any:
    known = {
        "mimic": True,
        "eef_names": ("hand",),
        "objects": ("ball",),
        "subtasks": {"hand": (("ball", "touched"), ("ball", None))},
        "success": "success",
        "variants": ("d0",),
    }
    return SimpleNamespace(**{**known, **changes})


def problems(checks: Any) -> set[str]:
    found: list[Check] = list(checks)
    assert all(check.advice for check in found if check.status == "problem")
    return {check.what for check in found if check.status == "problem"}


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("", set()),
        ("early", {"signals after a reset"}),
        ("done", {"success after a reset"}),
        ("range", {"reset ranges"}),
        ("unseeded", {"seeds"}),
        ("falls", {"objects at rest"}),
        ("drifts", {"end effectors stay"}),
    ],
)
def test_resets(fault: str, what: set[str]) -> None:
    assert problems(resets(Reach(fault), CFG)) == what


@pytest.mark.parametrize(
    ("fault", "what"), [("", set()), ("scaled", {"action maps, there and back"}), ("short", {"reach"})]
)
def test_actions(fault: str, what: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # the hand of this test cannot turn, so nothing is asked of its rotation
    monkeypatch.setattr(
        "apprentice.pipeline.task_checks.actions.exp_rotation", lambda turn: torch.eye(3).expand(N, 3, 3)
    )
    assert problems(actions(Reach(fault), CFG)) == what


def test_what_only_a_tool_reaches_no_hand_has_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "apprentice.pipeline.task_checks.actions.exp_rotation", lambda turn: torch.eye(3).expand(N, 3, 3)
    )
    task = Reach("short")
    task.cfg.beyond_reach = ("ball",)
    assert problems(actions(task, CFG)) == set()


def test_only_the_sides_that_are_asked_for_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apprentice.tasks.registry.task_info", lambda task: info(id=task))
    monkeypatch.setattr("apprentice.tasks.session.open_session", lambda *_, **__: contextlib.nullcontext(Reach()))
    found = {check.what for check in check_task("Reach", CheckTaskCfg(num_envs=N, sides=("repeats",)))}
    configured = {check.what for check in configuration(info())}
    assert found - configured == {"determinism", "speed"}


@pytest.mark.parametrize(("fault", "what"), [("", set()), ("remembers", {"determinism"})])
def test_the_same_again(fault: str, what: set[str]) -> None:
    assert problems(repeatable(Reach(fault), CFG)) == what


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, set()),
        ({"mimic": False, "eef_names": (), "subtasks": {}}, {"Mimic interface"}),
        ({"success": None}, {"success term"}),
        ({"subtasks": {"hand": (("ball", None), ("ball", None))}}, {"subtasks of hand"}),
        ({"subtasks": {"hand": (("bell", "touched"), ("ball", None))}}, {"objects of hand"}),
    ],
)
def test_configurations(changes: dict[str, Any], what: set[str]) -> None:
    assert problems(configuration(info(**changes))) == what
