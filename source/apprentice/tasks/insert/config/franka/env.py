"""The insertion environment, with a Mimic interface that serves all environments in one call."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from apprentice.poses import make_pose, rotation_from_quat
from apprentice.tasks.insert.mdp.scene import object_pose
from apprentice.tasks.insert.mdp.sizes import OBJECTS
from apprentice.tasks.stack.config.franka.env import StackMimicEnv


class InsertMimicEnv(StackMimicEnv):
    """Franka peg insertion. Actions are those of the stacking task."""

    def get_object_poses(self, env_ids: Sequence[int] | None = None) -> dict[str, Tensor]:
        """Pose of peg and socket, in the environment's frame. Shape (K, 4, 4) each."""
        poses = {}
        for name in OBJECTS:
            state = object_pose(self, name)
            pose = make_pose(state[:, :3] - self.scene.env_origins, rotation_from_quat(state[:, 3:7]))
            poses[name] = pose if env_ids is None else pose[env_ids]
        return poses
