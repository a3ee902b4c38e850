"""Chunked behaviour cloning: predict where the end effectors should be over the next second, and go there.

A small network (`chunk_network`) looks at two consecutive observations and predicts a few chunks of future target
poses, relative to the pose at their start, with one gripper decision for each step. Most of the likeliest chunk is
executed, every target turned into an action against the live pose, before the network is asked again. A Robomimic
plug-in: importing this module registers the algorithm and its config as `chunked_bc`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from robomimic.algo import PolicyAlgo, register_algo_factory_func
from robomimic.config.base_config import BaseConfig
from robomimic.config.config import Config
from torch import Tensor, nn

from apprentice.learn.algorithms.chunk_network import ChunkNetwork, Chunks, losses
from apprentice.learn.data.action_space import ActionSpace
from apprentice.learn.data.features import EEF_POSE, FeatureCfg, features
from apprentice.poses import exp_rotation, log_rotation, make_pose, position, rotation

Memory = dict[str, Tensor]
"""What a policy remembers between steps, one row for each environment."""


class ChunkedBCConfig(BaseConfig):
    """Robomimic config of the algorithm. The keys below `algo` up to `features` may be set in a JSON file."""

    ALGO_NAME = "chunked_bc"  # pyright: ignore  (Robomimic declares a property)

    def train_config(self) -> None:
        super().train_config()
        self.train.hdf5_load_next_obs = False
        self.train.dataset_keys = ("actions",)
        self.train.frame_stack = 2  # observations that the network sees: the present one and those just before it
        self.train.seq_length = 1
        self.train.batch_size = 512

    def algo_config(self) -> None:
        self.algo.optim_params.policy.optimizer_type = "adamw"
        self.algo.optim_params.policy.learning_rate.initial = 1e-3  # reached after the warm-up
        self.algo.optim_params.policy.learning_rate.final = 2e-5  # reached along a cosine at the last step
        self.algo.optim_params.policy.learning_rate.warmup_steps = 200
        self.algo.optim_params.policy.regularization.L2 = 1e-4
        self.algo.steps = 6000  # gradient steps: the length of the cosine
        self.algo.chunk = 20  # control steps predicted at once
        self.algo.execute = 14  # of these are executed before the next prediction; short re-planning grasps badly
        self.algo.hidden_dims = (512, 512, 512)
        self.algo.label_smoothing = 1  # reach in steps of a triangular filter over the targets ([1, 2, 1] for 1):
        # the exploration noise of generated demos is white, and a large part of what the labels vary by
        self.algo.modes = 4  # chunks predicted side by side, of which the likeliest is played
        self.algo.mode_weight = 0.1  # of the cross-entropy of which of them was the nearest
        self.algo.mode_sharing = 0.05  # of the loss of all of them, beside that of the nearest
        self.algo.gripper_weight = 0.3  # of the gripper's cross-entropy beside the L1 loss of the poses
        self.algo.feature_std_floor = 0.01  # a feature that hardly varied in the demos must not dominate in play
        self.algo.feature_clip = 4.0  # standard deviations
        self.algo.max_grad_norm = 1.0
        self.algo.precision = "auto"  # "bf16" (autocast), "fp32", or "auto": bf16 where the hardware has it
        # Filled in from the demo file and stored in the checkpoint:
        self.algo.features = Config()
        self.algo.features.do_not_lock_keys()
        self.algo.action_space = Config()
        self.algo.action_space.do_not_lock_keys()

    def observation_config(self) -> None:
        super().observation_config()
        self.observation.modalities.obs.low_dim = []  # empty: chosen from what the demo file has


@register_algo_factory_func("chunked_bc")
def algo_config_to_class(algo_config: Any) -> tuple[type[PolicyAlgo], dict[str, Any]]:
    """Robomimic asks here for the class."""
    return ChunkedBC, {}


class ChunkedBC(PolicyAlgo):
    """The algorithm: targets and loss for training, chunks and their execution for play."""

    # -- networks and optimiser -------------------------------------------------------------------------------------

    def _create_networks(self) -> None:
        cfg = self.algo_config
        self.space = ActionSpace.from_dict(cfg.action_space.to_dict())
        self.feature_cfg = FeatureCfg.from_dict(cfg.features.to_dict())
        self.frames: int = self.global_config.train.frame_stack
        shapes = {key: torch.zeros(1, *self.obs_key_shapes[key]) for key in self.feature_cfg.obs_keys}
        self.nets["policy"] = ChunkNetwork(
            inputs=features(shapes, self.feature_cfg).shape[1],
            frames=self.frames,
            chunk=cfg.chunk,
            values=6 * len(self.space.poses) + len(self.space.continuous),
            switches=len(self.space.binary),
            cfg=cfg,
        )
        self.nets = self.nets.float().to(self.device)
        self.autocast = cfg.precision == "bf16" or (cfg.precision == "auto" and _has_bf16(self.device))
        self.reset()

    @property
    def network(self) -> ChunkNetwork:
        """The network that is trained and played."""
        return cast(ChunkNetwork, self.nets["policy"])

    def _create_optimizers(self) -> None:
        rate = self.optim_params.policy.learning_rate
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=rate.initial,
            weight_decay=self.optim_params.policy.regularization.L2,
            fused=True,
        )
        final, total, warmup = rate.final / rate.initial, self.algo_config.steps, rate.warmup_steps

        def factor(step: int) -> float:
            cosine = 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0)))
            return min(1.0, (step + 1) / max(warmup, 1)) * (final + (1 - final) * cosine)

        self.optimizers = {"policy": optimizer}
        self.lr_schedulers = {"policy": torch.optim.lr_scheduler.LambdaLR(optimizer, factor)}

    # -- demos to training data -------------------------------------------------------------------------------------

    def fit(self, data: Mapping[str, Tensor], lengths: Sequence[int]) -> None:
        """Take from the training data what normalises features and targets, and what grippers are told first.

        Args:
            data: Frames by key of the file. Shape (T, ...).
            lengths: Frames of each demo.
        """
        net = self.network
        starts = torch.tensor([0, *lengths[:-1]]).cumsum(0)
        if self.space.binary:
            first = data["actions"][starts][:, [switch.column for switch in self.space.binary]]
            net.initial_command.copy_(first.median(0).values)
        encoded = self.encode(data, lengths)
        net.feature_mean.copy_(encoded["obs/features"].mean(0))
        std = encoded["obs/features"].std(0, correction=0)
        net.feature_std.copy_(std.clamp_min(self.algo_config.feature_std_floor))
        targets = encoded["targets"].unflatten(-1, net.target_mean.shape)
        net.target_mean.copy_(targets.mean(0))
        net.target_std.copy_(targets.std(0, correction=0).clamp_min(1e-4))

    def encode(self, data: Mapping[str, Tensor], lengths: Sequence[int]) -> dict[str, Tensor]:
        """Turn the frames of demos into features and chunks, once, before training.

        Args:
            data: Frames by key of the file. Shape (T, ...).
            lengths: Frames of each demo.

        Returns:
            "obs/features" of shape (T, F), "targets" of shape (T, H * V), "switches" of shape (T, H * B), 0 or 1.
        """
        obs = {key: data["obs/" + key] for key in self.feature_cfg.obs_keys}
        eefs = {part.eef: data["obs/" + EEF_POSE + part.eef] for part in self.space.poses}
        actions = data["actions"]
        length = torch.tensor(lengths)
        last = torch.repeat_interleave(length.cumsum(0) - 1, length)
        first = torch.repeat_interleave(length.cumsum(0) - length, length)
        reach, chunk = self.algo_config.label_smoothing, self.algo_config.chunk
        weights = torch.tensor([reach + 1.0 - abs(k) for k in range(-reach, reach + 1)])
        weights /= weights.sum()
        middle = torch.tensor([(switch.low + switch.high) / 2 for switch in self.space.binary])
        switched = actions[:, [switch.column for switch in self.space.binary]] > middle
        path = self.space.target_poses(actions, eefs)
        starts = torch.stack([eefs[part.eef] for part in self.space.poses], 1) if self.space.poses else path
        continuous = actions[:, list(self.space.continuous)]
        targets: list[Tensor] = []
        for rows in torch.arange(len(actions)).split(4096):  # bounded memory for files of any size
            window = rows[:, None] + torch.arange(-reach, chunk + reach)
            window = window.maximum(first[rows, None]).minimum(last[rows, None])
            pose, start = path[window], starts[rows, None]
            turn = log_rotation(rotation(pose) @ rotation(start).mT)
            relative = torch.cat([position(pose) - position(start), turn], -1).flatten(2)
            values = torch.cat([relative, continuous[window]], -1)
            targets.append(sum(weights[k] * values[:, k : k + chunk] for k in range(2 * reach + 1)))  # type: ignore[arg-type]
        future = (torch.arange(len(actions))[:, None] + torch.arange(chunk)).minimum(last[:, None])
        return {
            "obs/features": features(obs, self.feature_cfg, self.network.initial_command.cpu()),
            "targets": torch.cat(targets).flatten(1),
            "switches": switched[future].flatten(1).float(),
        }

    # -- training ---------------------------------------------------------------------------------------------------

    def process_batch_for_training(self, batch: dict[str, Any]) -> dict[str, Any]:
        """From windows of encoded demos: the feature history, and the chunk that starts at its last frame."""
        net = self.network
        targets = batch["targets"][:, -1].to(self.device).unflatten(-1, net.target_mean.shape)
        return {
            "history": net.normalise(batch["obs"]["features"].to(self.device)),
            "targets": (targets - net.target_mean) / net.target_std,
            "switches": batch["switches"][:, -1].to(self.device).unflatten(-1, (net.chunk, net.switches)),
        }

    def train_on_batch(self, batch: dict[str, Tensor], epoch: int, validate: bool = False) -> OrderedDict[str, Any]:
        """One gradient step, or only the losses if `validate`."""
        info = super().train_on_batch(batch, epoch, validate=validate)
        with torch.set_grad_enabled(not validate):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
                chunks = self.network(batch["history"])
            found = losses(chunks, batch["targets"], batch["switches"], self.algo_config)
        loss = found["loss"]
        info["losses"] = {
            "action_loss": loss.detach(),
            "pose_loss": found["pose"].detach(),
            "gripper_loss": found["gripper"].detach(),
        }
        if not validate:
            optimizer = self.optimizers["policy"]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.algo_config.max_grad_norm, foreach=True)
            optimizer.step()
            self.lr_schedulers["policy"].step()
        return info

    def log_info(self, info: dict[str, Any]) -> OrderedDict[str, float]:
        """Robomimic's summary of one step."""
        log = super().log_info(info)
        log["Loss"] = float(info["losses"]["action_loss"])
        log["Pose_Loss"] = float(info["losses"]["pose_loss"])
        log["Gripper_Loss"] = float(info["losses"]["gripper_loss"])
        return log

    def on_epoch_end(self, epoch: int) -> None:
        """Nothing: the learning rate follows the steps, not Robomimic's epochs."""

    # -- play -------------------------------------------------------------------------------------------------------

    def step(self, obs: Mapping[str, Tensor], memory: Memory, age: Tensor) -> tuple[Tensor, Memory]:
        """Act for some environments.

        Args:
            obs: Observations by key. Shape (N, ...).
            memory: What this method returned for the same environments, {} if nothing yet. Shape (N, ...).
            age: Steps since each environment was reset. Shape (N,).

        Returns:
            Actions of shape (N, A) and the memory for the next step.
        """
        net = self.network
        eefs = {part.eef: obs[EEF_POSE + part.eef] for part in self.space.poses}
        now = net.normalise(features(obs, self.feature_cfg, net.initial_command))[:, None]
        fresh = (age == 0)[:, None, None]
        past = memory["history"] if memory else now.expand(-1, self.frames, -1)
        # a window slides over the past; at the first step it holds the first observation throughout, as in training
        history = torch.where(fresh, now, torch.cat([past, now], 1)[:, -self.frames :])
        plan = {key: value.clone() for key, value in memory.items()} if memory else self._empty_plan(len(age))
        plan["history"] = history
        due = age % self.algo_config.execute == 0
        tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
        if tracing or torch.compiler.is_exporting():  # a graph can't choose rows: it asks for all
            for key, value in self._ask(history, eefs).items():
                plan[key] = torch.where(due.view(-1, *[1] * (value.dim() - 1)), value, plan[key])
        elif bool(due.any()):
            for key, value in self._ask(history[due], {eef: pose[due] for eef, pose in eefs.items()}).items():
                plan[key][due] = value
        rows, k = torch.arange(len(age), device=age.device), age % self.algo_config.execute
        actions = self.space.action(
            plan["poses"][rows, k], eefs, plan["continuous"][rows, k], plan["switches"][rows, k] > 0
        )
        return actions, plan

    def _ask(self, history: Tensor, eefs: Mapping[str, Tensor]) -> Memory:
        """New chunks: absolute target poses, continuous values and gripper logits, for each row."""
        net, hands = self.network, len(self.space.poses)
        values, logits = cast(Chunks, net(history)).likeliest()
        values = values * net.target_std + net.target_mean
        poses = history.new_zeros(len(history), net.chunk, 0, 4, 4)
        if hands:
            relative = values[..., : 6 * hands].unflatten(-1, (hands, 6))
            start = torch.stack([eefs[part.eef] for part in self.space.poses], 1)[:, None]
            poses = make_pose(position(start) + relative[..., :3], exp_rotation(relative[..., 3:]) @ rotation(start))
        return {"poses": poses, "continuous": values[..., 6 * hands :], "switches": logits}

    def _empty_plan(self, count: int) -> Memory:
        chunk, device = self.algo_config.chunk, self.device
        return {
            "poses": torch.zeros(count, chunk, len(self.space.poses), 4, 4, device=device),
            "continuous": torch.zeros(count, chunk, len(self.space.continuous), device=device),
            "switches": torch.zeros(count, chunk, len(self.space.binary), device=device),
        }

    def reset(self) -> None:
        """Robomimic's start of an episode, for all environments of the batch at once."""
        self._memory: Memory = {}
        self._age: Tensor | None = None

    def get_action(self, obs_dict: Mapping[str, Tensor], goal_dict: Mapping[str, Tensor] | None = None) -> Tensor:
        """Robomimic's play: environments that start together. Shape (N, A)."""
        if self._age is None:
            self._age = torch.zeros(len(next(iter(obs_dict.values()))), dtype=torch.int64, device=self.device)
        with torch.no_grad():
            actions, self._memory = self.step(obs_dict, self._memory, self._age)
        self._age += 1
        return actions


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return any(torch.cpu.get_capabilities().get(name, False) for name in ("avx512_bf16", "amx_bf16"))
