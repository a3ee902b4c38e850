"""The action that moves a humanoid's hands: all of them, and the joints that they share, in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, field
from typing import Any

import torch
from isaaclab.managers import ActionTerm, ActionTermCfg
from isaaclab.utils import configclass
from torch import Tensor

from apprentice.poses import exp_rotation, inverse, make_pose, position, rotation, rotation_from_quat
from apprentice.robots.whole_body import WholeBody, WholeBodyCfg
from apprentice.sim.joint_targets import JointTargets


class WholeBodyAction(ActionTerm):
    """Moves E end effectors to where they are asked to go, for all environments at once.

    Of each end effector an action holds a displacement (m) and a rotation vector (rad) in the axes of the environment,
    as Isaac Lab's differential IK in relative mode. Solved once per control step, in which joint targets go evenly from
    the last step's to this one's: a palm that jumped would strike what its fingers hold.

    On a base that moves, hands are still sent to places in the environment: what the base is about to do is made up
    for, as far as the arms reach.
    """

    cfg: WholeBodyActionCfg
    _asset: Any

    def __init__(self, cfg: WholeBodyActionCfg, env: Any) -> None:
        super().__init__(cfg, env)
        tools = {link: torch.tensor(frame) for link, frame in cfg.tools.items()}
        rest = dict(zip(self._asset.joint_names, self._asset.data.default_joint_pos.torch[0].tolist(), strict=True))
        self._body = WholeBody(self._asset.cfg.spawn.usd_path, tools, rest=rest, base=cfg.base, cfg=cfg.solver)
        self._base_id = 0 if cfg.base is None else self._asset.body_names.index(cfg.base)
        self._joint_ids = [self._asset.joint_names.index(name) for name in self._body.names]
        self._raw_actions = torch.zeros(self.num_envs, self.action_dim, device=self.device)
        self._processed_actions = self._joints().float()
        self._start = self._processed_actions.clone()
        self._under_way = torch.zeros(self.num_envs, dtype=torch.bool, device=self.device)
        self._substep = 0
        self._targets = JointTargets(self._asset, self._joint_ids)

    @property
    def action_dim(self) -> int:
        return self.cfg.width

    @property
    def raw_actions(self) -> Tensor:
        return self._raw_actions

    @property
    def processed_actions(self) -> Tensor:
        """Joint targets (rad). Shape (N, D)."""
        return self._processed_actions

    def process_actions(self, actions: Tensor) -> None:
        self._raw_actions[:] = actions
        joints = self._joints()
        base = self._base()
        here = base[:, None] @ self._body.forward(joints)
        asked = self.cfg.scale * actions.double().cpu().unflatten(1, (-1, 6))
        turned = exp_rotation(asked[..., 3:]) @ rotation(here)
        targets = inverse(self._carried(base))[:, None] @ make_pose(position(here) + asked[..., :3], turned)
        self._start[:] = torch.where(self._under_way[:, None], self._processed_actions, joints.float())
        self._processed_actions[:] = self._body.solve(targets, joints).float()
        self._under_way[:], self._substep = True, 0

    def apply_actions(self) -> None:
        self._substep += 1
        share = min(1.0, self._substep / self._env.cfg.decimation)
        self._targets.write(torch.lerp(self._start, self._processed_actions, share))

    def reset(self, env_ids: Sequence[int] | None = None) -> None:
        chosen = slice(None) if env_ids is None else env_ids
        self._raw_actions[chosen], self._under_way[chosen] = 0.0, False

    def _base(self) -> Tensor:
        """The link that the joints begin at, in the world. Shape (N, 4, 4)."""
        pose = self._asset.data.body_link_pose_w.torch[:, self._base_id].double().cpu()
        return make_pose(pose[:, :3], rotation_from_quat(pose[:, 3:7]))

    def _carried(self, base: Tensor) -> Tensor:
        """Where that link will be at the end of the step, if it goes on as it does. Shape (N, 4, 4)."""
        if self.cfg.base is None:
            return base
        velocity = self._asset.data.body_link_vel_w.torch[:, self._base_id].double().cpu() * self._env.step_dt
        return make_pose(position(base) + velocity[:, :3], exp_rotation(velocity[:, 3:]) @ rotation(base))

    def _joints(self) -> Tensor:
        """Positions of the joints that are solved for (rad). Shape (N, D)."""
        return self._asset.data.joint_pos.torch[:, self._joint_ids].double().cpu()


@configclass
class WholeBodyActionCfg(ActionTermCfg):
    """Of `WholeBodyAction`."""

    class_type: Any = WholeBodyAction
    tools: Mapping[str, tuple[tuple[float, ...], ...]] = MISSING  # pyright: ignore[reportAssignmentType]
    """By link, the frame that is controlled, in the link's. Shape (4, 4). Their order is that of the action."""
    base: str | None = None
    """Link that something else moves, from which on joints are solved for; None for the root, which is fixed."""
    scale: float = 1.0
    """Share of what is asked for that is gone in a step."""
    solver: WholeBodyCfg = field(default_factory=WholeBodyCfg)
    """How joints are found."""

    @property
    def width(self) -> int:
        """Numbers that it takes of an action."""
        return 6 * len(self.tools)
