"""What policies see of peg and socket."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.tasks.readings import object_pose, tcp_pose

from .scene import peg_in_socket
from .sizes import OBJECTS


def object_state(env: ManagerBasedEnv) -> Tensor:
    """Poses in the environment's frame, gripper to each object, and the peg's lower end and axis seen from the socket.

    Shape (N, 26): peg 7, socket 7, gripper to peg 3, gripper to socket 3, peg in socket 6.
    """
    tcp, _ = tcp_pose(env)
    poses, relative = [], []
    for name in OBJECTS:
        pose = object_pose(env, name)
        poses += [pose[:, :3] - env.scene.env_origins, pose[:, 3:7]]
        relative.append(pose[:, :3] - tcp)
    return torch.cat((*poses, *relative, *peg_in_socket(env)), 1)
