"""Chunk policies: what they all do around their networks.

They look at a few consecutive observations and predict a chunk: where the end effectors should be over the next second,
relative to the pose at its start, with one gripper decision for each step. Most of it is executed, every target turned
into an action against the live pose, before the network is asked again. Instead of object poses they may see cameras.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from robomimic.algo import PolicyAlgo
from torch import Tensor, nn

from apprentice.learn.algorithms.chunk_model import ChunkModel, Sizes
from apprentice.learn.algorithms.ensemble import kept_chunks, present
from apprentice.learn.algorithms.vision import augmented, prepared
from apprentice.learn.data.action_space import ActionSpace
from apprentice.learn.data.chunks import chunks
from apprentice.learn.data.features import EEF_POSE, FeatureCfg, features, position_columns
from apprentice.learn.data.held import HeldCommands
from apprentice.learn.data.subtasks import Subtasks, under_way
from apprentice.poses import exp_rotation, make_pose, position, rotation

Memory = dict[str, Tensor]
"""What a policy remembers between steps, one row for each environment."""


class ChunkPolicy(PolicyAlgo):
    """Targets and loss for training, chunks and their execution for play. A subclass says which network."""

    @abstractmethod
    def _create_model(self, sizes: Sizes) -> ChunkModel:
        """The network, with fresh weights."""

    # -- networks and optimiser -------------------------------------------------------------------------------------

    def _create_networks(self) -> None:
        cfg = self.algo_config
        self.space = ActionSpace.from_dict(cfg.action_space.to_dict())
        self.feature_cfg = FeatureCfg.from_dict(cfg.features.to_dict())
        self.held = HeldCommands(self.feature_cfg, self.space.binary)
        told = cfg.told.to_dict() if "told" in cfg else {}
        self.told_cfg = FeatureCfg.from_dict(told) if told else None
        subtasks = cfg.subtasks.to_dict() if "subtasks" in cfg else {}  # checkpoints before 0.3 have none
        self.subtasks = [Subtasks.from_dict(values) for values in subtasks.values()]
        self.frames: int = self.global_config.train.frame_stack
        self.ensemble = float(cfg.get("ensemble", 0.0))  # checkpoints before 0.2 don't say
        seen = self.global_config.observation.modalities.obs
        self.cameras = (*seen.rgb, *seen.depth)
        self.nets["policy"] = self._create_model(
            Sizes(
                features=self._width(self.feature_cfg),
                frames=self.frames,
                chunk=cfg.chunk,
                values=6 * len(self.space.poses) + len(self.space.continuous),
                switches=len(self.space.binary),
                cameras={key: tuple(int(size) for size in self.obs_key_shapes[key]) for key in self.cameras},
                told=self._width(self.told_cfg) if self.told_cfg else 0,
                places=position_columns(self.told_cfg) if self.told_cfg else (),
                subtasks=self.subtasks,
            )
        )
        self.nets = self.nets.float().to(self.device)
        self.autocast = cfg.precision == "bf16" or (cfg.precision == "auto" and _has_bf16(self.device))
        self.reset()

    def _width(self, cfg: FeatureCfg) -> int:
        """Features of one observation."""
        # the poses that cameras tell of are not observed, but all poses have one shape
        shapes = {key: torch.zeros(1, *self.obs_key_shapes.get(key, (4, 4))) for key in cfg.obs_keys}
        return features(shapes, cfg).shape[1]

    @property
    def network(self) -> ChunkModel:
        """The network that is trained and played."""
        return cast(ChunkModel, self.nets["policy"])

    def compile(self) -> None:
        """Compile what the network does in training. The weights keep their names."""
        net: Any = self.network
        net.context, net.losses = torch.compile(net.context), torch.compile(net.losses)

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
        targets = encoded["targets"].unflatten(-1, net.target_mean.shape)
        net.fit(encoded["obs/features"], targets, encoded.get("told"))

    def encode(self, data: Mapping[str, Tensor], lengths: Sequence[int]) -> dict[str, Tensor]:
        """Turn the frames of demos into features and chunks, once, before training.

        Args:
            data: Frames by key of the file. Shape (T, ...).
            lengths: Frames of each demo.

        Returns:
            "obs/features" of shape (T, F), "targets" of shape (T, H * V), "switches" of shape (T, H * B), 0 or 1; with
            cameras their images too, and "told" of shape (T, P) where the demos say where objects are; "subtask" of
            shape (T, E) for those that tell which subtask is under way.
        """
        obs = {key.removeprefix("obs/"): value for key, value in data.items() if key.startswith("obs/")}
        targets, switches = chunks(
            data["actions"],
            {part.eef: obs[EEF_POSE + part.eef] for part in self.space.poses},
            self.space,
            lengths,
            chunk=self.algo_config.chunk,
            smoothing=self.algo_config.label_smoothing,
        )
        initial = self.network.initial_command.cpu()
        held = self.held.in_demos(obs, lengths, initial)
        encoded = {
            "obs/features": features(obs, self.feature_cfg, initial, held),
            "targets": targets.flatten(1),
            "switches": switches.flatten(1),
        }
        if self.told_cfg:
            encoded["told"] = features(obs, self.told_cfg)
        if self.subtasks:
            encoded["subtask"] = under_way(obs, self.subtasks, lengths)
        return encoded | {"obs/" + key: obs[key] for key in self.cameras}

    # -- training ---------------------------------------------------------------------------------------------------

    def process_batch_for_training(self, batch: dict[str, Any]) -> dict[str, Any]:
        """From windows of encoded demos: the feature history, and the chunk that starts at its last frame."""
        net, now = self.network, self.frames - 1
        targets = batch["targets"][:, now].to(self.device).unflatten(-1, net.target_mean.shape)
        switches = batch["switches"][:, now].to(self.device)
        processed: dict[str, Any] = {
            "history": net.normalise(batch["obs"]["features"][:, : self.frames].to(self.device)),
            "targets": (targets - net.target_mean) / net.target_std,
            "switches": switches.unflatten(-1, (net.sizes.chunk, net.sizes.switches)),
        }
        for name in ("told", "subtask"):
            if name in batch:
                processed[name] = batch[name][:, now].to(self.device)
        for key in self.cameras:
            image = prepared(batch["obs"][key][:, now].to(self.device).permute(0, 3, 1, 2))
            processed["image/" + key] = augmented(image, self.algo_config.vision) if net.training else image
        return processed

    def train_on_batch(self, batch: dict[str, Tensor], epoch: int, validate: bool = False) -> OrderedDict[str, Any]:
        """One gradient step, or only the losses if `validate`."""
        info = super().train_on_batch(batch, epoch, validate=validate)
        net, cfg = self.network, self.algo_config
        with torch.set_grad_enabled(not validate):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
                images = {key: batch["image/" + key] for key in self.cameras}
                known = net.context(batch["history"], images, batch.get("subtask"))
                found = net.losses(known.context, batch["targets"], batch["switches"])
            loss = found.pop("loss")
            if known.told is not None:
                found["told"] = net.telling_loss(known.told, batch["told"])
                loss = loss + cfg.vision.told_weight * found["told"]
            if net.subtasks is not None and known.subtasks is not None:
                found["subtask"] = net.subtasks.loss(known.subtasks, batch["subtask"])
                loss = loss + cfg.hierarchy.weight * found["subtask"]
        info["losses"] = {"action_loss": loss.detach()} | {f"{k}_loss": v.detach() for k, v in found.items()}
        if not validate:
            optimizer = self.optimizers["policy"]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), cfg.max_grad_norm, foreach=True)
            optimizer.step()
            self.lr_schedulers["policy"].step()
        return info

    def log_info(self, info: dict[str, Any]) -> OrderedDict[str, float]:
        """Robomimic's summary of one step."""
        log = super().log_info(info)
        losses: dict[str, Tensor] = info["losses"]
        log["Loss"] = float(losses["action_loss"])
        log.update({name.title(): float(value) for name, value in losses.items() if name != "action_loss"})
        return log

    def on_epoch_end(self, epoch: int) -> None:
        """Nothing: the learning rate follows the steps, not Robomimic's epochs."""

    # -- play -------------------------------------------------------------------------------------------------------

    def step(
        self, obs: Mapping[str, Tensor], memory: Memory, age: Tensor, noise: Callable[[], Tensor]
    ) -> tuple[Tensor, Memory]:
        """Act for some environments.

        Args:
            obs: Observations by key; images as (C, H, W), colours from 0 to 1, depth in metres. Shape (N, ...).
            memory: What this method returned for the same environments, {} if nothing yet. Shape (N, ...).
            age: Steps since each environment was reset. Shape (N,).
            noise: Draws for each environment a uniform number, which goes unused, and `noise_size` normal ones.

        Returns:
            Actions of shape (N, A) and the memory for the next step.
        """
        net = self.network
        eefs = {part.eef: obs[EEF_POSE + part.eef] for part in self.space.poses}
        images = {key: prepared(obs[key]) for key in self.cameras}
        # drawn at every step for all: what one environment gets does not depend on who asks beside it
        drawn = noise()[:, 1:] if net.noise_size else torch.zeros(len(age), 0, device=self.device)
        fresh = (age == 0)[:, None, None]
        waiting = self.held.in_play(obs, memory, fresh[:, 0], net.initial_command)
        frame = net.normalise(features(obs, self.feature_cfg, net.initial_command, waiting.get("held")))[:, None]
        past = memory["history"] if memory else frame.expand(-1, self.frames, -1)
        # a window slides over the past; at the first step it holds the first observation throughout, as in training
        history = torch.where(fresh, frame, torch.cat([past, frame], 1)[:, -self.frames :])
        plan = self._empty_plan(len(age))
        plan = {key: memory[key].clone() if memory else value for key, value in plan.items()}
        due = self.asks(age)
        tracing = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
        if tracing or torch.compiler.is_exporting():  # a graph can't choose rows: it asks for all
            for key, value in self._ask(history, images, drawn, eefs).items():
                plan[key] = torch.where(due.view(-1, *[1] * value.dim()), _pushed(value, plan[key]), plan[key])
        elif bool(due.any()):
            asked = self._ask(history[due], _rows(images, due), drawn[due], _rows(eefs, due))
            for key, value in asked.items():
                plan[key][due] = _pushed(value, plan[key][due])
        now = present(plan, age, self.algo_config.execute, self.ensemble)
        actions = self.space.action(now["poses"], eefs, now["continuous"], now["switches"] > 0)
        return actions, {"history": history, **waiting, **plan}

    def asks(self, age: Tensor) -> Tensor:
        """Whether the network is asked at this step, or an earlier chunk goes on. Shape (N,), bool."""
        return age % self.algo_config.execute == 0

    def _ask(self, history: Tensor, images: Mapping[str, Tensor], noise: Tensor, eefs: Mapping[str, Tensor]) -> Memory:
        """New chunks: absolute target poses, continuous values and gripper logits, for each row."""
        net, hands = self.network, len(self.space.poses)
        values, logits = net.predict(net.context(history, images).context, noise)
        values = values * net.target_std + net.target_mean
        poses = history.new_zeros(len(history), net.sizes.chunk, 0, 4, 4)
        if hands:
            relative = values[..., : 6 * hands].unflatten(-1, (hands, 6))
            start = torch.stack([eefs[part.eef] for part in self.space.poses], 1)[:, None]
            poses = make_pose(position(start) + relative[..., :3], exp_rotation(relative[..., 3:]) @ rotation(start))
        return {"poses": poses, "continuous": values[..., 6 * hands :], "switches": logits}

    def _empty_plan(self, count: int) -> Memory:
        cfg, device = self.algo_config, self.device
        shape = (count, kept_chunks(cfg.chunk, cfg.execute, self.ensemble), cfg.chunk)
        return {
            "poses": torch.zeros(*shape, len(self.space.poses), 4, 4, device=device),
            "continuous": torch.zeros(*shape, len(self.space.continuous), device=device),
            "switches": torch.zeros(*shape, len(self.space.binary), device=device),
        }

    def reset(self) -> None:
        """Robomimic's start of an episode, for all environments of the batch at once."""
        self._memory: Memory = {}
        self._age: Tensor | None = None

    def get_action(self, obs_dict: Mapping[str, Tensor], goal_dict: Mapping[str, Tensor] | None = None) -> Tensor:
        """Robomimic's play: environments that start together. Shape (N, A)."""
        if self._age is None:
            self._age = torch.zeros(len(next(iter(obs_dict.values()))), dtype=torch.int64, device=self.device)
        count = len(self._age)
        size = 1 + self.network.noise_size
        with torch.no_grad():
            actions, self._memory = self.step(
                obs_dict, self._memory, self._age, lambda: torch.randn(count, size, device=self.device)
            )
        self._age += 1
        return actions


def _pushed(new: Tensor, kept: Tensor) -> Tensor:
    """The newest chunks before those kept, of which the oldest fall out. Shapes (N, H, ...) and (N, K, H, ...)."""
    return torch.cat([new[:, None], kept[:, :-1]], 1)


def _rows(values: Mapping[str, Tensor], chosen: Tensor) -> dict[str, Tensor]:
    return {key: value[chosen] for key, value in values.items()}


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return any(torch.cpu.get_capabilities().get(name, False) for name in ("avx512_bf16", "amx_bf16"))
