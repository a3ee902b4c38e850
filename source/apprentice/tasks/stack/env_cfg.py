"""What cube stacking is, whatever arm does it: subtasks, conditions that can be held, observations and variants."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any

from isaaclab.envs.mimic_env_cfg import MimicEnvCfg
from isaaclab.managers import EventTermCfg, ObservationGroupCfg, ObservationTermCfg, TerminationTermCfg
from isaaclab.utils import configclass

from apprentice.sim.localise import swap_assets
from apprentice.tasks import readings
from apprentice.tasks.grasps import IDENTITY, Frame
from apprentice.tasks.mimic import require_variant, set_up_generation, subtask

from .mdp import conditions, events, observations
from .mdp.scene import CUBES

CUBE_REST_HEIGHT_M = 0.0203

VARIANTS: dict[str, dict[str, tuple[float, float]]] = {
    "d0": {"x": (0.4, 0.6), "y": (-0.1, 0.1), "yaw": (-1.0, 1.0)},
    "d1": {"x": (0.37, 0.63), "y": (-0.2, 0.2), "yaw": (-math.pi, math.pi)},
    "d2": {"x": (0.35, 0.66), "y": (-0.28, 0.28), "yaw": (-math.pi, math.pi)},
}
"""Reset ranges of the cubes: x and y in metres (environment frame), yaw in rad. d0 is the stock range; every pose of
the others can be grasped, and be built on, from above, by each of our arms."""

SUBTASKS: tuple[tuple[str, str | None, str], ...] = (
    ("cube_2", "grasp_1", "Grasp the red cube"),
    ("cube_1", "stack_1", "Place the red cube on the blue cube"),
    ("cube_3", "grasp_2", "Grasp the green cube"),
    ("cube_2", None, "Place the green cube on the red cube"),
)
"""Object that the subtask is about, signal of its end, and what it does."""


@configclass
class SubtaskTermsCfg(ObservationGroupCfg):
    """Whether each subtask is done."""

    grasp_1 = ObservationTermCfg(func=conditions.object_grasped, params={"name": "cube_2"})
    stack_1 = ObservationTermCfg(func=conditions.object_stacked, params={"upper": "cube_2", "lower": "cube_1"})
    grasp_2 = ObservationTermCfg(func=conditions.object_grasped, params={"name": "cube_3"})

    def __post_init__(self):
        self.enable_corruption = False
        self.concatenate_terms = False


@configclass
class StackTaskCfg(MimicEnvCfg):
    """Stack the red cube on the blue one and the green one on top.

    Comes after one of Isaac Lab's stacking configurations among the bases of a task; that task calls `stack_with`.
    """

    variants: tuple[str, ...] = tuple(VARIANTS)
    """What `apply_variant` takes."""
    variant: str = "d0"
    """Which of `VARIANTS` resets draw from. Set it with `apply_variant`."""
    object_symmetry: dict[str, int] = dict.fromkeys(CUBES, 4)
    """Order of each object's rotational symmetry about its vertical axis."""
    grasp_frames: dict[str, Frame] = field(default_factory=dict)
    """The grasp frame in the frame that the end effector's pose tells of: the same here."""
    object_reset_ranges: dict[str, dict[str, tuple[float, float]]] = dict.fromkeys(CUBES, VARIANTS["d0"])
    """What resets draw each object's x, y (m, environment frame) and yaw (rad) from."""

    def stack_with(self, name: str, eef: str) -> None:
        """Take over Isaac Lab's scene, once its robot and actions are set.

        Args:
            name: The task's id.
            eef: What the end effector is called.
        """
        swap_assets(self)
        scene: Any = self.scene  # pyright: ignore[reportAttributeAccessIssue]  from the other base
        scene.ee_frame = None  # poses are read from the hand's link
        self._observe()
        ends: Any = self.terminations  # pyright: ignore[reportAttributeAccessIssue]
        ends.success = TerminationTermCfg(func=conditions.cubes_stacked)
        resets: Any = self.events  # pyright: ignore[reportAttributeAccessIssue]
        resets.randomize_cube_positions = EventTermCfg(
            func=events.reset_cubes, mode="reset", params={"pose_range": {}, "min_separation": 0.1}
        )
        self.apply_variant(self.variant)
        self.subtask_configs = {
            eef: [
                subtask(about, signal, does, noise=0.03, offsets=(10, 20) if signal else (0, 0))
                for about, signal, does in SUBTASKS
            ]
        }
        self.grasp_frames = {eef: IDENTITY}
        mimic: Any = self.datagen_config
        set_up_generation(mimic, name)
        mimic.generation_relative = True

    def apply_variant(self, name: str) -> None:
        """Draw resets from the ranges of variant `name`.

        Raises:
            UserError: If there is no such variant.
        """
        require_variant(name, VARIANTS)
        self.variant = name
        height = {"z": (CUBE_REST_HEIGHT_M, CUBE_REST_HEIGHT_M)}
        resets: Any = self.events  # pyright: ignore[reportAttributeAccessIssue]
        resets.randomize_cube_positions.params["pose_range"] = {**VARIANTS[name], **height}
        self.object_reset_ranges = dict.fromkeys(CUBES, VARIANTS[name])

    def _observe(self) -> None:
        observed: Any = self.observations  # pyright: ignore[reportAttributeAccessIssue]
        policy = observed.policy
        policy.object.func = observations.object_state
        policy.cube_positions.func = observations.cube_positions
        policy.cube_orientations.func = observations.cube_orientations
        policy.eef_pos.func = readings.eef_pos
        policy.eef_quat.func = readings.eef_quat
        policy.gripper_pos.func = readings.gripper_pos
        observed.subtask_terms = SubtaskTermsCfg()
