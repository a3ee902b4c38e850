"""The training loop: one function that reads from top to bottom."""

from __future__ import annotations

import contextlib
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice import __version__
from apprentice.demos.durable import WriterLock
from apprentice.errors import UserError
from apprentice.learn import recipes
from apprentice.learn.batches import Batches, WindowCfg, Windows, nest
from apprentice.learn.cfg import CHECKPOINT_RULE, TrainCfg, TrainResult
from apprentice.learn.checkpoint import (
    CONFIG,
    LOG,
    POLICY,
    STATE,
    load_state,
    save_policy,
    save_state,
    write_atomically,
    write_json,
)
from apprentice.learn.dataset import Frames, fingerprint, open_source
from apprentice.learn.interrupt import Interrupt
from apprentice.learn.policy import BatchedPolicy
from apprentice.progress import Progress, silent

_VALID_BATCHES = 4
"""Batches of held-out windows behind each validation loss."""

Evaluate = Callable[[BatchedPolicy, int], Mapping[str, float]]
"""Called with the policy so far and the step; what it returns goes into the log."""


def train(
    file: Path, output: Path, cfg: TrainCfg, progress: Progress = silent, evaluate: Evaluate | None = None
) -> TrainResult:
    """Train a policy on the demos of a file, or go on where an earlier call was stopped.

    Writes `config.json`, `log.jsonl`, `state.pt` (to go on from) and, at the end, `policy.pth`. A run that was killed
    and goes on ends with the same weights, bit for bit, as one that was not. A finished run is left as it is.

    Args:
        file: The demo file.
        output: Folder for the results.
        cfg: How to train.
        progress: Told the step and what is left to do.
        evaluate: Called every `cfg.evaluate_every` steps; its numbers are logged and never choose the policy.

    Returns:
        What came out.

    Raises:
        UserError: If the demos, the config or an earlier run in `output` do not fit, if the loss is not finite, or
            after Ctrl-C, once the state is saved.
    """
    recipes.require_robomimic()
    _seed_everything(cfg.seed)
    device = _device(cfg.device)

    # what to learn from
    source = open_source(Path(file), cfg)
    config = recipes.load_config(cfg)
    recipes.choose_observations(config, source, cfg)
    keys = recipes.data_keys(config, source)
    demos, held_out = source.read(keys, source.train), source.read(keys, source.valid) if source.valid else None
    data_digest = fingerprint(demos)

    # the algorithm
    if config.algo_name == "chunked_bc":
        recipes.recognise_actions(config, demos)
    algo, shapes = _build(config, demos, device)
    statistics = _fit(algo, config, demos)
    batches = Batches(_windows(algo, config, demos, statistics, device), config.train.batch_size, cfg.seed)
    valid = Batches(_windows(algo, config, held_out, statistics, device), batches.batch_size) if held_out else None
    steps = recipes.total_steps(config, cfg, len(batches))
    averaged = {name: value.detach().clone() for name, value in algo.nets.named_parameters()}
    notices = _notices(config, demos, batches)

    # a new run, or an earlier one that goes on
    about = {
        "version": __version__,
        "checkpoint_rule": CHECKPOINT_RULE,
        "algo": cfg.config.stem if cfg.config else cfg.algo,
        "task": source.meta.get("task") or source.env_args.get("env_name"),
        "steps": steps,
        "train": {key: str(value) if isinstance(value, Path) else value for key, value in asdict(cfg).items()},
        "data": {
            "file": str(file),
            "digest": data_digest,
            "demos": len(demos.names),
            "frames": demos.num_frames,
            "held_out": len(source.valid),
        },
        "notices": notices,
        "robomimic": json.loads(config.dump()),
    }
    _claim(output, about)
    with WriterLock(output / STATE):
        step, seconds = 0, 0.0
        if (output / STATE).exists():
            step, seconds = load_state(output / STATE, algo=algo, averaged=averaged)
        log = _Log(output / LOG, step)
        if step == steps and (output / POLICY).exists():
            return _result(output, about, log.last)

        def save() -> None:
            save_state(output / STATE, algo=algo, averaged=averaged, step=step, seconds=seconds)

        # the loop
        epoch_steps = recipes.epoch_steps(config, len(batches))
        sums: dict[str, Tensor] = {}
        count, begin = 0, time.perf_counter()
        with Interrupt() as interrupt:
            while step < steps:
                algo.set_train()
                batch = algo.process_batch_for_training(batches.batch(step))
                batch = algo.postprocess_batch_for_training(batch, obs_normalization_stats=None)
                losses = algo.train_on_batch(batch, epoch=step // epoch_steps + 1)["losses"]
                _average(averaged, algo, min(cfg.ema_decay, (1 + step) / (10 + step)) if cfg.ema_decay else 0.0)
                step, count = step + 1, count + 1
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0) + value.detach()
                if step % epoch_steps == 0:
                    algo.on_epoch_end(step // epoch_steps)
                if step % cfg.log_every == 0 or step == steps:
                    means = {name: float(value) / count for name, value in sums.items()}
                    _require_finite(means, step, config)
                    duration = time.perf_counter() - begin
                    seconds, rate = seconds + duration, count / duration
                    with _playing(algo, averaged):
                        means |= {f"valid_{name}": value for name, value in _valid_losses(algo, valid).items()}
                    samples_per_s = rate * batches.batch_size
                    lr = algo.optimizers["policy"].param_groups[0]["lr"]
                    log.write({"step": step, **means, "lr": lr, "samples_per_s": samples_per_s, "seconds": seconds})
                    left = (steps - step) / rate
                    note = f"loss {means['action_loss']:.3f}, {rate:.0f} steps/s, {left:.0f} s left"
                    progress.update(step, steps, note)
                    sums, count, begin = {}, 0, time.perf_counter()
                if evaluate and cfg.evaluate_every and step % cfg.evaluate_every == 0:
                    pause = time.perf_counter()
                    with _playing(algo, averaged):
                        modalities = config.observation.modalities.obs
                        scores = evaluate(BatchedPolicy(algo, modalities, shapes["ac_dim"], statistics, about), step)
                    log.write({"step": step, **scores})
                    begin += time.perf_counter() - pause
                if step % cfg.save_every == 0 or step == steps or interrupt.requested:
                    save()
                if interrupt.requested and step < steps:
                    raise UserError(
                        f"Training stopped at step {step:,} of {steps:,}; nothing is lost. Run the same command again"
                        f" to go on from {output / STATE}."
                    )
        save_policy(
            output / POLICY,
            algo=algo,
            averaged=averaged,
            config=config,
            shapes=shapes,
            obs_statistics=statistics,
            env_args=source.env_args,
            about={key: about[key] for key in ("version", "checkpoint_rule", "algo", "task", "steps", "data")},
        )
        return _result(output, about, log.last)


def _seed_everything(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"Expected --device to be auto, cpu or a GPU of this machine, got {name!r} ({error})."
        ) from error
    return device


def _build(config: Any, demos: Frames, device: torch.device) -> tuple[Any, dict[str, Any]]:
    """The Robomimic algorithm with fresh weights, and Robomimic's shape metadata."""
    from robomimic.algo import algo_factory
    from robomimic.utils import obs_utils

    with recipes.quiet():
        obs_utils.initialize_obs_utils_with_config(config)
        shapes = {
            key: obs_utils.get_processed_shape(
                obs_modality=obs_utils.OBS_KEYS_TO_MODALITIES[key], input_shape=list(demos.data["obs/" + key].shape[1:])
            )
            for key in sorted(config.all_obs_keys)
        }
        size = demos.data["actions"].shape[1]
        algo = algo_factory(config.algo_name, config, obs_key_shapes=shapes, ac_dim=size, device=device)
    images = list(config.observation.modalities.obs.rgb)
    metadata = {"ac_dim": size, "all_shapes": shapes, "all_obs_keys": list(shapes), "use_images": bool(images)}
    return algo, metadata


def _fit(algo: Any, config: Any, demos: Frames) -> dict[str, Any] | None:
    """Statistics from the training data: into the algorithm where it holds them, otherwise as Robomimic keeps them."""
    if config.algo_name == "chunked_bc":
        algo.fit(demos.data, demos.lengths)
        return None
    if "action_range" in algo.nets:
        algo.nets["action_range"].fit(demos.data["actions"].float())
    if not config.train.hdf5_normalize_obs:
        return None
    statistics: dict[str, Any] = {}
    for modality, keys in config.observation.modalities.obs.items():
        for key in keys:
            shape = algo.obs_key_shapes[key]
            if modality == "low_dim":
                value = demos.data["obs/" + key].float()
                mean, std = value.mean(0), value.std(0, correction=0) + 1e-3
            else:  # images are scaled to 0..1 by Robomimic
                mean, std = torch.zeros(shape), torch.ones(shape)
            # Robomimic 0.3.0 wants the statistics of a frame stack in the shape of the stack
            frames = config.train.frame_stack
            statistics[key] = {
                "mean": mean.expand(frames, *shape).tolist(),
                "std": std.expand(frames, *shape).tolist(),
            }
    return statistics


def _windows(
    algo: Any, config: Any, frames: Frames, statistics: Mapping[str, Any] | None, device: torch.device
) -> Windows:
    """The training windows, with everything done once that need not be done in every step."""
    cfg = config.train
    window = WindowCfg(
        frame_stack=cfg.frame_stack,
        seq_length=cfg.seq_length,
        pad_frame_stack=cfg.pad_frame_stack,
        pad_seq_length=cfg.pad_seq_length,
    )
    if config.algo_name == "chunked_bc":
        return Windows(algo.encode(frames.data, frames.lengths), frames.lengths, window, device)
    data = dict(frames.data)
    for key, values in (statistics or {}).items():
        if data["obs/" + key].dtype != torch.uint8:
            mean, std = (torch.tensor(values[name])[-1] for name in ("mean", "std"))
            data["obs/" + key] = (data["obs/" + key].float() - mean) / std
    for key in cfg.dataset_keys:
        # as Robomimic does: what a demo does not have is zero
        data.setdefault(key, torch.zeros(frames.num_frames, 1))
    return Windows(data, frames.lengths, window, device)


@torch.no_grad()
def _average(averaged: Mapping[str, Tensor], algo: Any, decay: float) -> None:
    torch._foreach_lerp_(list(averaged.values()), list(algo.nets.parameters()), 1.0 - decay)  # pyright: ignore


@contextlib.contextmanager
def _playing(algo: Any, averaged: Mapping[str, Tensor]) -> Iterator[None]:
    """The algorithm with the averaged weights, out of training mode, without touching any random number generator."""
    with torch.random.fork_rng(), torch.no_grad():
        own = {name: value.data for name, value in algo.nets.named_parameters()}
        policy = algo.nets["policy"]
        # otherwise a mixture's likelihood of held-out actions is taken under a spread of 1e-4
        low_noise = getattr(policy, "low_noise_eval", None)
        try:
            for name, value in algo.nets.named_parameters():
                value.data = averaged[name]
            algo.set_eval()
            yield
        finally:
            for name, value in algo.nets.named_parameters():
                value.data = own[name]
            if low_noise is not None:
                policy.low_noise_eval = low_noise


def _valid_losses(algo: Any, valid: Batches | None) -> dict[str, float]:
    """Losses on held-out windows, spread evenly over them: the same windows every time."""
    if valid is None:
        return {}
    policy = algo.nets["policy"]
    if hasattr(policy, "low_noise_eval"):
        policy.low_noise_eval = False
    count = min(_VALID_BATCHES * valid.batch_size, len(valid.windows))
    index = torch.linspace(0, len(valid.windows) - 1, count).long()
    sums: dict[str, float] = {}
    for rows in index.split(valid.batch_size):
        batch = algo.process_batch_for_training(nest(valid.windows.gather(rows)))
        batch = algo.postprocess_batch_for_training(batch, obs_normalization_stats=None)
        for name, value in algo.train_on_batch(batch, epoch=0, validate=True)["losses"].items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(rows) / count
    return sums


def _require_finite(means: Mapping[str, float], step: int, config: Any) -> None:
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    if bad:
        rate = config.algo.optim_params.policy.learning_rate.initial
        raise UserError(
            f"Expected a finite loss, but {', '.join(bad)} is not at step {step:,}; lower the learning rate"
            f" (algo.optim_params.policy.learning_rate.initial, now {rate:g}) or look for extreme values in the demos"
            " (`apprentice check`)."
        )


def _notices(config: Any, demos: Frames, batches: Batches) -> list[str]:
    notices: list[str] = []
    if batches.batch_size < config.train.batch_size:
        notices.append(
            f"The demos make {batches.batch_size} windows, fewer than a batch of {config.train.batch_size}: every batch"
            " holds them all."
        )
    if config.algo_name == "chunked_bc" and not config.algo.features.eefs:
        notices.append("No datagen_info/eef_pose in the file: learning from plain observations, chunks of raw actions.")
    elif config.algo_name == "chunked_bc" and not config.algo.action_space.poses:
        notices.append("The actions are no poses, neither relative nor absolute: learning chunks of raw actions.")
    if config.algo_name == "bc" and config.algo.gmm.enabled and demos.data["actions"].abs().max() > 1:
        notices.append("Some actions exceed 1, which this algorithm cannot output; train with --normalise.")
    return notices


def _claim(output: Path, about: Mapping[str, Any]) -> None:
    """Write `config.json`, or make sure that the one there describes this very run."""
    path = output / CONFIG
    if not path.exists():
        if (output / STATE).exists() or (output / POLICY).exists():
            raise UserError(
                f"Expected {CONFIG} beside the training results in {output}, found none; choose another --output."
            )
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Expected to write into {output}, but {error}; choose another --output.") from error
        write_json(path, about)
        return
    try:
        earlier = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(
            f"Expected the settings of an earlier run in {path}, but {error}; choose another --output."
        ) from error
    now = json.loads(json.dumps(about))
    different = [key for key in _decisive(now) if _decisive(earlier).get(key) != _decisive(now)[key]]
    if different:
        before, after = _decisive(earlier), _decisive(now)
        changes = "; ".join(f"{key} was {before.get(key)!r}, is {after[key]!r}" for key in different[:3])
        raise UserError(
            f"Expected {output} to be new or to hold this very run, found another ({changes}); choose another --output,"
            " or give the earlier settings to go on with it."
        )


def _decisive(about: Mapping[str, Any]) -> dict[str, Any]:
    """What must agree for a run to go on: everything that changes the weights."""
    decisive: dict[str, Any] = {"demos": about["data"]["digest"], "steps": about["steps"]}
    decisive |= {f"--{key}": about["train"][key] for key in ("algo", "seed", "ema_decay", "normalise")}

    def flatten(prefix: str, values: Mapping[str, Any]) -> None:
        for key, value in values.items():
            if isinstance(value, Mapping) and value:
                flatten(f"{prefix}{key}.", value)
            else:
                decisive[prefix + key] = value

    for section in ("algo", "train", "observation"):
        flatten(f"{section}.", about["robomimic"][section])
    return decisive


class _Log:
    """`log.jsonl`. What an interrupted run wrote after its last saved state is dropped: those steps are done again."""

    def __init__(self, path: Path, step: int) -> None:
        lines: list[str] = []
        self.last: dict[str, Any] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    continue  # torn by a kill
                if record["step"] <= step:
                    lines.append(line)
                    self.last |= record
        text = "".join(line + "\n" for line in lines)
        write_atomically(path, lambda scratch: scratch.write_text(text))
        self._path = path

    def write(self, record: Mapping[str, Any]) -> None:
        self.last |= record
        with self._path.open("a") as file:
            file.write(json.dumps(dict(record)) + "\n")


def _result(output: Path, about: Mapping[str, Any], last: Mapping[str, Any]) -> TrainResult:
    seconds = float(last["seconds"])
    valid = last.get("valid_action_loss")
    return TrainResult(
        policy=output / POLICY,
        algo=about["algo"],
        steps=about["steps"],
        seconds=seconds,
        steps_per_s=about["steps"] / max(seconds, 1e-9),
        demos=about["data"]["demos"],
        frames=about["data"]["frames"],
        loss=float(last["action_loss"]),
        valid_loss=None if valid is None else float(valid),
        notices=tuple(about["notices"]),
    )
