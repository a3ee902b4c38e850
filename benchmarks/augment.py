"""Augmentation against Isaac Lab's own generator (`isaaclab_mimic`): same task, backend, source demos and resets.

    python benchmarks/augment.py [SOURCE] [--task ID] [--variant d2] [--attempts 512] [--workers 2] [--json FILE]

Three runs, each in a process of its own: ours with retry, as `apprentice augment` does it, file, workers and all; ours
without retry; and `isaaclab_mimic`'s `DataGenerator`, whose attempt k starts from the same initial state as ours. The
last two have one process, and fewer attempts (`--few`). Success is held success: the success term is true for the
last ten steps of the episode, the gripper released. For the stock generator it is judged on the episode that it would
export, and its own count, true at any step, is given beside it (`stock_dgr_any_step`). The stock generator writes no
file here, which is in its favour. `per_hour` counts from the first step of the simulator to the last demo on disk;
`per_hour_wall` from the start of the command.

`coverage` is the share of the cells of the reset distribution that attempts visit and from which one succeeded, cells
as `apprentice.augment.explain.coverage` cuts them. `replay_success` is the share of demos whose actions,
played open loop from their initial state in another environment, lead to held success again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from stages import stack_source

HELD_STEPS = 10


def ours(args: argparse.Namespace, output: Path) -> dict[str, Any]:
    """With retry: the command."""
    from apprentice.augment.augment import augment
    from apprentice.augment.cfg import AugmentCfg

    cfg = AugmentCfg(
        demos=args.attempts,
        seed=args.seed,
        task=args.task,
        variant=args.variant,
        num_envs=args.num_envs,
        workers=args.workers,
    )
    result = augment(args.source, output, cfg)
    return {"seconds": result.stats["seconds"], "wall_seconds": result.stats["wall_seconds"]} | told(result.outcomes)


def plain(args: argparse.Namespace) -> dict[str, Any]:
    """Without retry: a fixed number of attempts."""
    from apprentice.augment.cfg import AugmentCfg
    from apprentice.augment.lessons import Assignment
    from apprentice.augment.play.rollout import Rollout
    from apprentice.augment.prepare import make_planners
    from apprentice.tasks.session import open_session

    cfg = AugmentCfg(seed=args.seed, variant=args.variant, num_envs=args.num_envs, retry=None)
    with open_session(args.task, variant=args.variant, num_envs=args.num_envs, threads=1) as session:
        planners = make_planners(session, args.source, cfg)
        began = time.perf_counter()
        assignments = map(Assignment, range(args.few))
        outcomes = [one.outcome for one in Rollout(session, planners, cfg).run(lambda: next(assignments, None))]
        return {"seconds": time.perf_counter() - began} | told(outcomes)


def told(outcomes: list[Any]) -> dict[str, Any]:
    return {
        "held": [outcome.success for outcome in outcomes],
        "any": [outcome.success_any_step for outcome in outcomes],
        "starts": [outcome.initial_objects for outcome in outcomes],
        "env_steps": sum(outcome.env_steps for outcome in outcomes),
    }


def stock(args: argparse.Namespace) -> dict[str, Any]:
    """Isaac Lab's generator, unchanged; watched through the three calls that it makes."""
    import torch
    from isaaclab_mimic.datagen import generation
    from isaaclab_mimic.datagen.data_generator import DataGenerator

    from apprentice.tasks.session import open_session

    attempts: dict[int, dict[str, Any]] = {}
    with open_session(args.task, variant=args.variant, num_envs=args.num_envs, threads=1) as session:
        env, success = session.env, SimpleNamespace(func=lambda _: session.success(), params={})
        streak = torch.zeros(args.num_envs, dtype=torch.long)
        playing: dict[int, int] = {}
        step = env.step
        session_steps = [0]

        def watched_step(actions):
            result = step(actions)
            streak.copy_(torch.where(session.success(), streak + 1, 0))
            session_steps[0] += args.num_envs
            return result

        def seeded_reset(env_ids):
            (env_id,) = env_ids.tolist()
            number = len(attempts)
            playing[env_id], attempts[number] = number, {}
            session.reset([env_id], [args.seed + number])
            streak[env_id] = 0
            attempts[number]["start"] = {
                name: [*pose[env_id, :2, 3].tolist(), math.atan2(float(pose[env_id, 1, 0]), float(pose[env_id, 0, 0]))]
                for name, pose in session.object_poses().items()
            }

        class WatchedGenerator(DataGenerator):
            async def generate(self, env_id, *positional, **named):
                result = await super().generate(env_id, *positional, **named)
                attempts[playing[env_id]] |= {
                    "any": bool(result["success"]),
                    "held": bool(streak[env_id] >= HELD_STEPS),
                }
                return result

        env.step, env.reset = watched_step, seeded_reset
        generation.DataGenerator = WatchedGenerator
        env.cfg.datagen_config.generation_guarantee = False
        env.cfg.datagen_config.generation_num_trials = args.few
        np.random.seed(args.seed)
        torch.manual_seed(args.seed)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            parts = generation.setup_async_generation(env, args.num_envs, str(args.source), success)
            tasks = asyncio.gather(*parts["tasks"])
            generation.env_loop(
                env, parts["reset_queue"], parts["action_queue"], parts["info_pool"], parts["event_loop"], tasks
            )
        seconds = time.perf_counter() - began
    ended = [attempt for attempt in attempts.values() if "held" in attempt]
    return {
        "seconds": seconds,
        "held": [attempt["held"] for attempt in ended],
        "any": [attempt["any"] for attempt in ended],
        "starts": [attempt["start"] for attempt in ended],
        "env_steps": session_steps[0],
    }


def replayed(args: argparse.Namespace, output: Path) -> dict[str, Any]:
    from apprentice.record.cfg import ReplayCfg
    from apprentice.record.replay import replay

    cfg = ReplayCfg(task=args.task, num_envs=args.num_envs - 3, backend=args.replay_on, certify=False)
    report = replay(output, cfg)
    return {
        "success": [demo.success for demo in report.demos],
        "bit_exact": [bool(demo.bit_exact) for demo in report.demos],
    }


def ranges(args: argparse.Namespace) -> dict[str, Any]:
    """What resets of the task draw, where it says so; and the symmetry of its objects."""
    from apprentice.tasks.registry import apply_variant, load_env_cfg, task_info

    env_cfg = load_env_cfg(args.task)
    if args.variant:
        apply_variant(env_cfg, args.variant)
    return {
        "ranges": getattr(env_cfg, "object_reset_ranges", {}),
        "symmetry": dict(task_info(args.task).symmetry),
    }


def numbers(result: dict[str, Any], cells: dict[str, Any]) -> dict[str, float]:
    from apprentice.augment.explain.coverage import Coverage

    coverage = Coverage(cells["symmetry"], cells["ranges"])
    for start, held in zip(result["starts"], result["held"], strict=True):
        coverage.add(start, held)
    successes = sum(result["held"])
    return {
        "dgr": successes / len(result["held"]),
        "dgr_any_step": float(np.mean(result["any"])),
        "attempts": len(result["held"]),
        "per_hour": 3600 * successes / result["seconds"],
        "per_hour_wall": 3600 * successes / result.get("wall_seconds", result["seconds"]),
        "env_steps_per_success": result["env_steps"] / max(successes, 1),
        "coverage": coverage.share or 0.0,
    }


def in_process(stage: str, args: argparse.Namespace, output: Path) -> dict[str, Any]:
    """Run one stage alone: Isaac Lab keeps one simulation per process."""
    result = output.with_suffix(f".{stage}.json")
    command = [sys.executable, __file__, str(args.source), "--stage", stage, "--result", str(result)]
    command += ["--output", str(output), "--task", args.task, "--replay-on", args.replay_on]
    for name in ("attempts", "few", "num_envs", "workers", "seed", "variant"):
        if getattr(args, name) is not None:
            command += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    subprocess.run(command, check=True)
    return json.loads(result.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, help="source demos with subtask signals; default: recorded")
    parser.add_argument("--task", default="Apprentice-Stack-Franka")
    parser.add_argument("--variant")
    parser.add_argument("--attempts", type=int, default=512, help="demos of the run with retry")
    parser.add_argument("--few", type=int, default=128, help="attempts of the other two")
    parser.add_argument("--num-envs", type=int, default=128)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay-on", default="native", help="backend that demos are replayed on")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--stage", choices=["retry", "plain", "stock", "replay", "ranges"], help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.source = stack_source(args.source)
    if args.stage:
        stages = {
            "retry": lambda: ours(args, args.output),
            "plain": lambda: plain(args),
            "stock": lambda: stock(args),
            "replay": lambda: replayed(args, args.output),
            "ranges": lambda: ranges(args),
        }
        args.result.write_text(json.dumps(stages[args.stage]()))
        os._exit(0)  # Isaac Lab takes its time to close
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "demos.hdf5"
        retry, plain_run, peer, replay, cells = (
            in_process(stage, args, output) for stage in ("retry", "plain", "stock", "replay", "ranges")
        )
    with_retry, without, theirs = (numbers(run, cells) for run in (retry, plain_run, peer))
    flat = with_retry | {
        "dgr_no_retry": without["dgr"],
        "per_hour_no_retry": without["per_hour"],
        "replay_success": float(np.mean(replay["success"])),
        "replay_bit_exact": float(np.mean(replay["bit_exact"])),
    }
    flat |= {f"stock_{key}": value for key, value in theirs.items()}
    print(
        f"{args.task} {args.variant or ''}, {args.num_envs} environments a process, ours with {args.workers} worker(s)"
    )
    print(f"{'':24}{'ours':>12}{'no retry':>12}{'isaaclab_mimic':>16}")
    for key in theirs:
        print(f"{key:24}{with_retry[key]:12.3f}{without[key]:12.3f}{theirs[key]:16.3f}")
    print(
        f"replay on {args.replay_on}: {flat['replay_success']:.3f} succeed again, {flat['replay_bit_exact']:.3f} with "
        "the very same bits"
    )
    if args.json:
        args.json.write_text(json.dumps(flat, indent=1))


if __name__ == "__main__":
    main()
