"""The training loop: one function that reads from top to bottom."""

from __future__ import annotations

import contextlib
import math
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice.demos.durable import WriterLock, write_json
from apprentice.errors import UserError
from apprentice.learn.algorithms.anatomy import losses as losses_of
from apprentice.learn.algorithms.anatomy import networks, optimisers
from apprentice.learn.algorithms.plugins import require_robomimic
from apprentice.learn.cfg import STOPPING_RULE, TrainCfg, TrainResult
from apprentice.learn.data.batches import Batches, nest
from apprentice.learn.data.dataset import open_source
from apprentice.learn.files import CONFIG, POLICY, STATE
from apprentice.learn.play.policy import BatchedPolicy
from apprentice.learn.training import observed, recipes, setup
from apprentice.learn.training.checkpoint import load_state, save_policy, save_state
from apprentice.learn.training.curves import TensorBoard, WeightsAndBiases
from apprentice.learn.training.interrupt import Interrupt
from apprentice.learn.training.ranks import Ranks
from apprentice.learn.training.run_folder import SAID_OF_POLICY, Log, claim, describe, result_of
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
        evaluate: Called every `cfg.evaluate_every` steps; its numbers are logged. They choose the policy only if
            `cfg.stop_at` says so, which "success_low", the lower end of the interval of its success, is compared with.

    Returns:
        What came out.

    Raises:
        UserError: If the demos, the config or an earlier run in `output` do not fit, if the loss is not finite, or
            after Ctrl-C, once the state is saved.
    """
    require_robomimic()
    _seed_everything(cfg.seed)
    device = _device(cfg.device)
    ranks = Ranks(device)
    if ranks.count > 1 and evaluate is not None:
        raise UserError("Expected no --evaluate-every of several processes: they would wait for the one that plays.")

    # what to learn from
    source = open_source(Path(file), cfg)
    config = recipes.load_config(cfg)
    observed.choose_observations(config, source, cfg)
    keys = observed.data_keys(config, source)
    demos = source.read(keys, source.train, images_on=output)
    held_out = source.read(keys, source.valid, images_on=output) if source.valid else None

    # the algorithm
    if recipes.is_chunk_policy(config):
        observed.recognise_poses(config, demos)
    algo, shapes = setup.build(config, demos, device)
    statistics = setup.fit(algo, config, demos, shapes)
    if cfg.compile:
        setup.compile_networks(algo, config)
    batches = Batches(setup.windows(algo, config, demos, statistics, device), config.train.batch_size, cfg.seed)
    valid = Batches(setup.windows(algo, config, held_out, statistics, device), batches.batch_size) if held_out else None
    batches.share = ranks.share(batches.batch_size)
    ranks.average_gradients(networks(algo).parameters())
    steps = recipes.total_steps(config, cfg, len(batches))
    averaged = {name: value.detach().clone() for name, value in networks(algo).named_parameters()}

    if not ranks.first:  # the same weights, but dropout and noise of its own
        _seed_everything(cfg.seed + ranks.rank)

    # a new run, or an earlier one that goes on
    about = describe(file, cfg, source, demos, config, steps, setup.notices(config, demos, batches))
    home = ranks.folder(output)
    with WriterLock(home / STATE), contextlib.ExitStack() as closing:
        claim(home, about)
        step, seconds = 0, 0.0
        if (output / STATE).exists():
            step, seconds = load_state(output / STATE, algo=algo, averaged=averaged, ranks=ranks)
        log = Log(home, step)
        steps = log.last.get("stopped_at", steps)
        if step == steps and (output / POLICY).exists():
            return result_of(output, about, log.last)

        closing.callback(log.close)
        log.draw(TensorBoard(home, log.records))
        if cfg.wandb and ranks.first:
            log.draw(WeightsAndBiases(home, cfg.wandb, about))

        def save() -> None:
            save_state(output / STATE, algo=algo, averaged=averaged, step=step, seconds=seconds, ranks=ranks)

        # the loop
        progress.update(step, steps)
        epoch_steps = recipes.epoch_steps(config, len(batches))
        sums: dict[str, Tensor] = {}
        count, begin = 0, time.perf_counter()
        with Interrupt() as interrupt:
            while step < steps:
                algo.set_train()
                batch = algo.process_batch_for_training(batches.batch(step))
                batch = algo.postprocess_batch_for_training(batch, obs_normalization_stats=None)
                losses = losses_of(algo.train_on_batch(batch, epoch=step // epoch_steps + 1))
                _average(averaged, algo, min(cfg.ema_decay, (1 + step) / (10 + step)) if cfg.ema_decay else 0.0)
                step, count = step + 1, count + 1
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0) + value
                if step % epoch_steps == 0:
                    algo.on_epoch_end(step // epoch_steps)
                due = evaluate is not None and cfg.evaluate_every > 0 and step % cfg.evaluate_every == 0
                if step % cfg.log_every == 0 or step == steps or due:
                    means = ranks.mean({name: float(value) / count for name, value in sums.items()})
                    _require_finite(means, step, algo)
                    duration = time.perf_counter() - begin
                    seconds, rate = seconds + duration, count / duration
                    with _playing(algo, averaged):
                        held = {f"valid_{name}": value for name, value in _valid_losses(algo, valid).items()}
                    samples_per_s = rate * batches.batch_size
                    lr = optimisers(algo)[0].param_groups[0]["lr"]
                    log.write(
                        {"step": step, **means, **held, "lr": lr, "samples_per_s": samples_per_s, "seconds": seconds}
                    )
                    left = (steps - step) / rate
                    note = f"loss {means['loss']:.3f}, {rate:.0f} steps/s, {left:.0f} s left"
                    progress.update(step, steps, note)
                    sums, count, begin = {}, 0, time.perf_counter()
                if evaluate and due:
                    pause = time.perf_counter()
                    with _playing(algo, averaged):
                        scores = evaluate(BatchedPolicy(algo, config.observation, shapes, statistics, about), step)
                    if cfg.stop_at and scores["success_low"] >= cfg.stop_at and step < steps:
                        steps = step
                        scores = {**scores, "stopped_at": step}
                    log.write({"step": step, **scores})
                    begin += time.perf_counter() - pause
                # one alone may stop at any step, several only where they agree about it
                asked = (
                    interrupt.requested
                    if ranks.count == 1
                    else step % cfg.log_every == 0 and ranks.any(interrupt.requested)
                )
                if step % cfg.save_every == 0 or step == steps or asked:
                    save()
                if asked and step < steps:
                    raise UserError(
                        f"Training stopped at step {step:,} of {steps:,}; nothing is lost. Run the same command again"
                        f" to go on from {output / STATE}."
                    )
        if "stopped_at" in log.last:
            about |= {"stopped_at": steps, "checkpoint_rule": STOPPING_RULE}
            write_json(home / CONFIG, about)
        with _playing(algo, averaged):
            save_policy(
                home / POLICY,
                algo=algo,
                config=config,
                shapes=shapes,
                obs_statistics=statistics,
                env_args=source.env_args,
                about={key: about[key] for key in (*SAID_OF_POLICY, "stopped_at") if key in about},
            )
        return result_of(output, about, log.last)


def _seed_everything(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _device(name: str) -> torch.device:
    if name == "auto":
        # torchrun numbers the processes of a machine, so that each can take a GPU of its own
        return torch.device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"Expected --device to be auto, cpu or a GPU of this machine, got {name!r} ({error})."
        ) from error
    return device


@torch.no_grad()
def _average(averaged: Mapping[str, Tensor], algo: Any, decay: float) -> None:
    torch._foreach_lerp_(list(averaged.values()), list(networks(algo).parameters()), 1.0 - decay)  # pyright: ignore


@contextlib.contextmanager
def _playing(algo: Any, averaged: Mapping[str, Tensor]) -> Iterator[None]:
    """The algorithm with the averaged weights, out of training mode, without touching any random number generator."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(), torch.no_grad():
        nets = networks(algo)
        own = {name: value.data for name, value in nets.named_parameters()}
        # otherwise a mixture's likelihood of held-out actions is taken under a spread of 1e-4
        mixtures: list[Any] = [net for net in nets.modules() if hasattr(net, "low_noise_eval")]
        low_noise = [net.low_noise_eval for net in mixtures]
        try:
            for name, value in nets.named_parameters():
                value.data = averaged[name]
            algo.set_eval()
            yield
        finally:
            for name, value in nets.named_parameters():
                value.data = own[name]
            random.setstate(of_python)
            np.random.set_state(of_numpy)
            for net, value in zip(mixtures, low_noise, strict=True):
                net.low_noise_eval = value


def _valid_losses(algo: Any, valid: Batches | None) -> dict[str, float]:
    """Losses on held-out windows, spread evenly over them: the same windows every time."""
    if valid is None:
        return {}
    net: Any
    for net in networks(algo).modules():
        if hasattr(net, "low_noise_eval"):
            net.low_noise_eval = False
    count = min(_VALID_BATCHES * valid.batch_size, len(valid.windows))
    index = torch.linspace(0, len(valid.windows) - 1, count).long()
    sums: dict[str, float] = {}
    for rows in index.split(valid.batch_size):
        batch = algo.process_batch_for_training(nest(valid.windows.gather(rows)))
        batch = algo.postprocess_batch_for_training(batch, obs_normalization_stats=None)
        for name, value in losses_of(algo.train_on_batch(batch, epoch=0, validate=True)).items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(rows) / count
    return sums


def _require_finite(means: Mapping[str, float], step: int, algo: Any) -> None:
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    if bad:
        rate = optimisers(algo)[0].param_groups[0]["lr"]
        raise UserError(
            f"Expected a finite loss, but {', '.join(bad)} is not at step {step:,}; lower the learning rate"
            f" (optim_params in the config's algo section, now {rate:g}) or look for extreme values in the demos"
            " (`apprentice check`)."
        )
