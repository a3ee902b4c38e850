"""How well and how fast policies are learned and played: ours against Robomimic's BC-RNN-GMM in Isaac Lab's own config.

    python benchmarks/policy.py [DEMOS] [--json FILE] [--seeds 2] [--rnn-steps 500] [--budget-s 120]

On the same demos, initial states and processor thread:

* chunked_bc with several training seeds, and Isaac Lab's own BC-RNN-GMM config in our training loop: held success.
  Isaac Lab publishes its numbers after 200,000 steps; the share of them that `--rnn-steps` comes to is printed.
* time to 90 % success: training seconds of chunked_bc, and of stock Robomimic (its data set, loader and loop), which is
  trained in slices and played after each, until it gets there or `--budget-s` is spent.
* control steps a second in evaluation: ours in many environments at once, ours in one, and Robomimic's own player,
  which knows only one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from stages import stack_demos

TASK = "Apprentice-Stack-Franka"
CONFIG = Path(str(files("isaaclab_tasks"))) / "contrib/stack/config/franka/agents/robomimic/bc_rnn_low_dim.json"
PUBLISHED_STEPS = 200_000
GOAL = 0.9
PROBED = 50
"""Rollouts behind each look at whether the goal is reached."""


def learn(demos: Path, folder: Path, arguments: argparse.Namespace, session: Any) -> dict[str, Any]:
    """Train what is to be compared, and evaluate it."""
    import torch

    from apprentice.learn.cfg import TrainCfg
    from apprentice.learn.training.train import train
    from apprentice.pipeline.training import play

    results: dict[str, Any] = {}
    with torch.inference_mode(False):
        for seed in range(arguments.seeds):
            name, output = f"chunked_bc_seed{seed}", folder / f"chunked_bc_seed{seed}"
            probe = (lambda policy, _: play(policy, session, PROBED)) if seed == 0 else None
            every = arguments.steps // 8 if seed == 0 else 0
            cfg = TrainCfg(seed=seed, steps=arguments.steps, evaluate_every=every, device="cpu")
            trained = train(demos, output, cfg, evaluate=probe)
            results |= {f"{name}_train_seconds": trained.seconds, **measure(name, output, arguments, session)}
        results |= reached(folder / "chunked_bc_seed0" / "log.jsonl")
        cfg = TrainCfg(config=CONFIG, steps=arguments.rnn_steps, normalise=False, device="cpu")
        trained = train(demos, folder / "bc_rnn_gmm", cfg)
        results |= {"bc_rnn_gmm_train_seconds": trained.seconds, "bc_rnn_gmm_steps": trained.steps}
        results |= {"bc_rnn_gmm_published_share": trained.steps / PUBLISHED_STEPS}
        results |= measure("bc_rnn_gmm", folder / "bc_rnn_gmm", arguments, session)
        results |= stock(demos, folder / "stock.pth", arguments.budget_s, session)
    return results


def measure(name: str, checkpoint: Path, arguments: argparse.Namespace, session: Any) -> dict[str, Any]:
    """Held success on the initial states of `apprentice evaluate`."""
    import torch

    from apprentice.evaluate.cfg import EvaluateCfg
    from apprentice.evaluate.rollouts import evaluate
    from apprentice.learn.play.policy import load_policy

    cfg = EvaluateCfg(rollouts=arguments.rollouts, videos=0)
    with torch.inference_mode():
        found = evaluate(
            load_policy(checkpoint),
            session,
            cfg,
            checkpoint=checkpoint,
            output=checkpoint.with_name(f"{name}_evaluation"),
        )
    low, high = found.interval_95
    return {
        f"{name}_success": found.success_rate,
        f"{name}_interval_low": low,
        f"{name}_interval_high": high,
        f"{name}_rollouts": found.rollouts,
        f"{name}_env_steps_per_s": found.env_steps_per_s,
    }


def reached(log: Path) -> dict[str, Any]:
    """When the rollouts during training first reached the goal."""
    best, seconds = 0.0, 0.0
    for line in log.read_text().splitlines():
        record = json.loads(line)
        seconds = record.get("seconds", seconds)
        best = max(best, record.get("success", 0.0))
        if best >= GOAL:
            break
    return {
        "chunked_bc_to_90_reached": best >= GOAL,
        "chunked_bc_to_90_seconds": seconds,
        "chunked_bc_to_90_best": best,
    }


def stock(demos: Path, checkpoint: Path, budget_s: float, session: Any) -> dict[str, Any]:
    """Robomimic's own training with Isaac Lab's config, in slices."""
    import torch
    from robomimic.algo import algo_factory
    from robomimic.config import config_factory
    from robomimic.utils import file_utils, obs_utils, train_utils
    from torch.utils.data import DataLoader

    from apprentice.learn.algorithms.plugins import require_robomimic
    from apprentice.learn.play.policy import load_policy
    from apprentice.pipeline.training import play

    require_robomimic()
    config = config_factory("bc")
    with config.values_unlocked():
        config.update(json.loads(CONFIG.read_text()))
        config.train.update({"data": str(demos), "hdf5_filter_key": None, "hdf5_load_next_obs": False})
    seconds, best, epoch = 0.0, 0.0, 0
    with quiet():
        obs_utils.initialize_obs_utils_with_config(config)
        shapes = file_utils.get_shape_metadata_from_dataset(str(demos), config.all_obs_keys)
        model = algo_factory("bc", config, shapes["all_shapes"], shapes["ac_dim"], torch.device("cpu"))
        data, _ = train_utils.load_data_for_training(config, obs_keys=shapes["all_obs_keys"])
        loader = DataLoader(data, batch_size=config.train.batch_size, shuffle=True, drop_last=True)
        environment = file_utils.get_env_metadata_from_dataset(str(demos))
        while seconds < budget_s and best < GOAL:
            begin = time.perf_counter()
            while time.perf_counter() - begin < min(budget_s / 4, budget_s - seconds):
                epoch += 1
                train_utils.run_epoch(model, loader, epoch, num_steps=config.experiment.epoch_every_n_steps)
                model.on_epoch_end(epoch)
            seconds += time.perf_counter() - begin
            train_utils.save_model(model, config, environment, shapes, str(checkpoint))
            best = max(best, play(load_policy(checkpoint), session, PROBED)["success"])
    return {
        "stock_to_90_reached": best >= GOAL,
        "stock_to_90_seconds": seconds,
        "stock_to_90_best": best,
        "stock_to_90_steps": epoch * config.experiment.epoch_every_n_steps,
    }


def one_at_a_time(checkpoints: Mapping[str, Path], seconds: float) -> dict[str, float]:
    """Control steps a second with a single environment, in a process of its own: ours, then Robomimic's player."""
    import torch

    from apprentice.learn.algorithms.plugins import require_robomimic
    from apprentice.learn.play.policy import load_policy
    from apprentice.tasks.session import open_session

    require_robomimic()  # before anything of it is imported: it has much to say
    from robomimic.utils import file_utils

    results: dict[str, float] = {}
    with open_session(TASK, num_envs=1, threads=1) as session:
        for name, checkpoint in checkpoints.items():
            policy = load_policy(checkpoint)
            policy.start(1)
            obs = session.reset([0], [0])
            begin, count = time.perf_counter(), 0
            while time.perf_counter() - begin < seconds:
                obs = session.step(policy.act(obs))
                count += 1
            results[f"{name}_one_env_steps_per_s"] = count / (time.perf_counter() - begin)
        with quiet():
            player, _ = file_utils.policy_from_checkpoint(
                ckpt_path=str(checkpoints["bc_rnn_gmm"] / "policy.pth"), device=torch.device("cpu")
            )
        keys = list(player.policy.obs_key_shapes)
        player.start_episode()
        obs = session.reset([0], [0])
        begin, count = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds:
            action = player({key: obs[key][0].cpu().numpy() for key in keys})
            obs = session.step(torch.from_numpy(action)[None])
            count += 1
        results["robomimic_player_steps_per_s"] = count / (time.perf_counter() - begin)
    return results


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Robomimic reports its inner life on both streams."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def report(results: Mapping[str, Any]) -> None:
    names = [key.removesuffix("_success") for key in results if key.endswith("_success")]
    for name in names:
        success, low, high = (100 * results[f"{name}_{key}"] for key in ("success", "interval_low", "interval_high"))
        rollouts, seconds = results[f"{name}_rollouts"], results[f"{name}_train_seconds"]
        print(f"{name:18} {success:5.1f} % [{low:.1f}, {high:.1f}] of {rollouts}, {seconds:.0f} s of training")
    steps, share = results["bc_rnn_gmm_steps"], 100 * results["bc_rnn_gmm_published_share"]
    print(f"bc_rnn_gmm trained {steps} steps, {share:.2f} % of the {PUBLISHED_STEPS:,} behind its published numbers")
    for name in ("chunked_bc", "stock"):
        seconds, best = results[f"{name}_to_90_seconds"], 100 * results[f"{name}_to_90_best"]
        said = f"in {seconds:.0f} s" if results[f"{name}_to_90_reached"] else f"not reached in {seconds:.0f} s"
        print(f"{name:18} 90 % success {said}, at {best:.0f} %")
    for name in ("chunked_bc_seed0", "bc_rnn_gmm"):
        together, alone = results[f"{name}_env_steps_per_s"], results[f"{name}_one_env_steps_per_s"]
        print(f"{name:18} {together:6.0f} control steps/s together, {alone:5.0f} one environment at a time")
    print(f"{'Robomimic player':18} {results['robomimic_player_steps_per_s']:6.0f} control steps/s, one environment")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demos", nargs="?", type=Path, help="demos of Franka cube stacking; default: generated")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of chunked_bc")
    parser.add_argument("--steps", type=int, default=2000, help="gradient steps of each")
    parser.add_argument("--rnn-steps", type=int, default=500, help="gradient steps of BC-RNN-GMM")
    parser.add_argument("--rollouts", type=int, default=100, help="rollouts of each evaluation")
    parser.add_argument("--budget-s", type=float, default=120.0, help="training time of stock Robomimic")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long one environment is played")
    arguments = parser.parse_args()
    arguments.demos = stack_demos(arguments.demos)
    from apprentice.tasks.session import open_session

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with open_session(TASK, num_envs=min(100, arguments.rollouts), threads=1) as session:
            results = learn(arguments.demos, folder, arguments, session)
        checkpoints = {name: folder / name for name in ("chunked_bc_seed0", "bc_rnn_gmm")}
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            results |= pool.apply(one_at_a_time, (checkpoints, arguments.seconds))
    report(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
    from apprentice.cli import leave

    leave()
