"""Notes what became of every try, and why some failed: from what was recorded of them, so playing costs nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from apprentice.augment.attempt import Attempt, FailedTry
from apprentice.augment.explain.causes import Cause, Segment, Try, diagnose
from apprentice.augment.paths.limits import outside_m
from apprentice.augment.paths.transform import held_object
from apprentice.augment.planning.plan import Plan
from apprentice.augment.sources.contact import gripper_changes
from apprentice.demos import EXECUTED, Tree
from apprentice.tasks.eef_maps import action_to_gripper
from apprentice.tasks.episode import INFO

from .recording import Recording
from .state import RolloutState

STATES = "states/"
INITIAL = "initial_state/"


class Witness:
    """Watches the tries of all environments of a rollout."""

    def __init__(self, state: RolloutState, recording: Recording) -> None:
        """Watch.

        Args:
            state: The environments.
            recording: What they do.
        """
        self._state = state
        self._recording = recording

    def reached(self, env_id: int, eef: str) -> None:
        """Note that an end effector's present subtask reached its end."""
        attempt = self._state.attempt(env_id)
        self._note(attempt, eef, self._steps(env_id, attempt, eef), None)

    def lost(self, env_id: int, eef: str, succeeded: bool) -> None:
        """Note that it did not, and why. To be called before the environment is taken back.

        Args:
            env_id: The environment.
            eef: The end effector.
            succeeded: Whether success was true at some step of the try.
        """
        attempt = self._state.attempt(env_id)
        arm = attempt.arms[eef]
        if arm.plan is None or (steps := self._steps(env_id, attempt, eef)) < 1:
            return
        recorded = self._recording.read(env_id)
        cause = diagnose(self._seen(env_id, eef, recorded, steps, succeeded))
        self._note(attempt, eef, steps, cause)
        if arm.plan.problem is not None:
            return  # it was not played, and there is nothing to look at
        known = {(one.eef, one.subtask, one.cause.name) for one in attempt.failed_tries}
        if (eef, arm.subtask, cause.name) not in known:
            demo = self._state.planners[eef].demos[arm.plan.demo].name
            data = _last_states(recorded, steps)
            actions = recorded.get(EXECUTED, recorded["actions"])[-steps:].copy()
            attempt.failed_tries.append(FailedTry(eef, arm.subtask, cause, demo, actions, data))

    def _steps(self, env_id: int, attempt: Attempt, eef: str) -> int:
        mark = attempt.marks[eef, attempt.arms[eef].subtask]
        return int(self._recording.lengths[env_id]) - mark.step

    def _note(self, attempt: Attempt, eef: str, steps: int, cause: Cause | None) -> None:
        arm = attempt.arms[eef]
        if arm.plan is None:
            return
        row: dict[str, Any] = {"source_demo": self._state.planners[eef].demos[arm.plan.demo].name, "steps": steps}
        row["cause"] = None if cause is None else cause.name
        if cause is not None:
            row["object"] = cause.object
            row |= {
                key: round(value, 4)
                for key, value in (("off_m", cause.off_m), ("off_rad", cause.off_rad))
                if value is not None
            }
            if not cause.gripper_moved:
                row["gripper_moved"] = False
        attempt.tried.setdefault((eef, arm.subtask), []).append(row)

    def _seen(self, env_id: int, eef: str, recorded: Tree, steps: int, succeeded: bool) -> Try:
        state, session = self._state, self._state.session
        arm, planner = state.attempt(env_id).arms[eef], state.planners[eef]
        plan, subtask = arm.plan, planner.subtasks[arm.subtask]
        assert plan is not None
        now = state.scene(env_id)

        def rows(key: str) -> NDArray[np.float64]:
            return recorded[f"{INFO}/{key}"][-steps:].astype(np.float64)

        gripper = action_to_gripper(session.env, torch.from_numpy(recorded["actions"][-steps:]))[eef]
        return Try(
            source=_segment(planner, eef, plan.demo, plan.start, plan.end, subtask.object_ref),
            about=subtask.object_ref,
            bridge_steps=plan.bridge_steps,
            eef=np.concatenate((rows(f"eef_pose/{eef}"), now.eef[eef].numpy()[None])),
            target=rows(f"target_eef_pose/{eef}"),
            objects={
                name: np.concatenate((rows(f"object_pose/{name}"), pose.numpy()[None]))
                for name, pose in now.objects.items()
            },
            changes=gripper_changes(gripper),
            succeeded=succeeded,
            symmetry=session.task_info.symmetry,
            base=_base(recorded),
            foreseen=plan.problem,
            outside_m=self._outside_m(env_id, eef, plan) if plan.problem == "unreachable" else None,
        )

    def _outside_m(self, env_id: int, eef: str, plan: Plan) -> float | None:
        """How near the arm can bring the hand to the first pose of a segment that it cannot reach."""
        looker = self._state.scene(env_id).space
        if looker is None:
            return None
        source = self._state.planners[eef].demos[plan.demo].eef[eef][plan.start : plan.end]
        return outside_m(looker(eef, None), (plan.moved @ source).numpy())


def _segment(planner: Any, eef: str, demo: int, start: int, end: int, about: str | None) -> Segment:
    source, part = planner.demos[demo], slice(start, end)
    objects = {name: poses[part] for name, poses in source.objects.items()}
    hand = source.eef[eef][part]
    return Segment(
        eef=hand.numpy(),
        target=source.target[eef][part].numpy(),
        objects={name: poses.numpy() for name, poses in objects.items()},
        changes=gripper_changes(source.gripper[eef][part]),
        held=held_object(hand, objects, about),
    )


def _last_states(recorded: Tree, steps: int) -> Tree:
    """The states of the last steps: before the first of them, and after each."""
    data: Tree = {}
    for key, rows in recorded.items():
        if key.startswith(STATES):
            name = key.removeprefix(STATES)
            before = rows[-steps - 1 : -steps] if len(rows) > steps else recorded[INITIAL + name]
            data |= {key: rows[-steps:].copy(), INITIAL + name: before.copy()}
    return data


def _base(recorded: Tree) -> NDArray[np.float64] | None:
    """Where the robot stands, if there is one robot. Only its position matters here. Shape (4, 4)."""
    robots = [key for key in recorded if key.startswith(f"{STATES}articulation/") and key.endswith("/root_pose")]
    if len(robots) != 1:
        return None
    pose = np.eye(4)
    pose[:3, 3] = recorded[robots[0]][-1, :3]
    return pose
