"""Where the peg is, seen from the socket."""

from __future__ import annotations

import torch
from isaaclab.envs import ManagerBasedEnv
from torch import Tensor

from apprentice.tasks.readings import object_pose

from .sizes import PEG, PEG_LENGTH_M, SOCKET, SOCKET_HEIGHT_M


def peg_in_socket(env: ManagerBasedEnv) -> tuple[Tensor, Tensor]:
    """Where the peg is, seen from the socket: its lower end (m), shape (N, 3), and its upward axis, shape (N, 3).

    The socket's origin is the middle of the hole's floor.
    """
    peg, socket = object_pose(env, PEG), object_pose(env, SOCKET)
    axis = _z_axis(peg[:, 3:7])
    lower = peg[:, :3] - axis * (PEG_LENGTH_M / 2) - socket[:, :3]
    lower[:, 2] += SOCKET_HEIGHT_M / 2
    x, y, z, w = socket[:, 3:7].unbind(-1)
    yaw = torch.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return _unturned(lower, yaw), _unturned(axis, yaw)


def _unturned(vector: Tensor, yaw: Tensor) -> Tensor:
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    x, y, z = vector.unbind(-1)
    return torch.stack((cos * x + sin * y, cos * y - sin * x, z), -1)


def _z_axis(quat: Tensor) -> Tensor:
    x, y, z, w = quat.unbind(-1)
    return torch.stack((2 * (x * z + y * w), 2 * (y * z - x * w), 1 - 2 * (x * x + y * y)), -1)
