"""Augmentation against Isaac Lab's own generator (`isaaclab_mimic`): same task, backend, source demos and resets.

    python benchmarks/augment.py SOURCE [--attempts 128] [--json FILE]

Three runs, each in a process of its own: ours with retry, ours without, and `isaaclab_mimic`'s `DataGenerator`, whose
attempt k starts from the same initial state as ours. Success is held success: the success term is true for the last
ten steps of the episode, the gripper released. For the stock generator it is judged on the episode that it would
export, and its own count, true at any step, is given beside it (`stock_dgr_any_step`). The stock generator writes no
file here, which is in its favour; ours with retry does.

`coverage` is the share of cells of the reset distribution (a 3 by 3 grid of each object's start) that attempts visit
and from which at least one succeeded; `worst_cell` is the lowest success rate of a cell. `replay_success` is the share
of demos whose actions, played open loop from their initial state in another environment, lead to held success again.
`_cpu` counts processor time, which other jobs on the machine lengthen less than wall-clock time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

HELD_STEPS = 10
CELLS = 3


def ours(args: argparse.Namespace, output: Path, retry: bool) -> dict[str, Any]:
    from apprentice.augment.cfg import AugmentCfg, RetryCfg
    from apprentice.augment.generator import Generator
    from apprentice.augment.lessons import Assignment
    from apprentice.augment.prepare import make_planners
    from apprentice.augment.rollout import Rollout
    from apprentice.augment.run import Run
    from apprentice.tasks.session import open_session

    cfg = AugmentCfg(demos=args.attempts, seed=args.seed, num_envs=args.num_envs, retry=RetryCfg() if retry else None)
    with open_session(args.task, num_envs=args.num_envs, threads=args.threads) as session:
        planners = make_planners(session, args.source, cfg)
        wall, cpu = time.perf_counter(), time.process_time()
        if retry:  # the whole thing, file included
            generator = Generator(session, planners, cfg)
            run = Run(generator, source=args.source, output=output, cfg=cfg, identity={"source_sha256": ""})
            outcomes = run.generate().outcomes
        else:
            assignments = map(Assignment, range(args.attempts))
            finished = Rollout(session, planners, cfg).run(lambda: next(assignments, None))
            outcomes = [one.outcome for one in finished]
        taken = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    return taken | {
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
    with open_session(args.task, num_envs=args.num_envs, threads=args.threads) as session:
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
                name: [float(pose[env_id, 0, 3]), float(pose[env_id, 1, 3])]
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
        env.cfg.datagen_config.generation_num_trials = args.attempts
        np.random.seed(args.seed)
        torch.manual_seed(args.seed)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        wall, cpu = time.perf_counter(), time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            parts = generation.setup_async_generation(env, args.num_envs, str(args.source), success)
            tasks = asyncio.gather(*parts["tasks"])
            generation.env_loop(
                env, parts["reset_queue"], parts["action_queue"], parts["info_pool"], parts["event_loop"], tasks
            )
        taken = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    ended = [attempt for attempt in attempts.values() if "held" in attempt]
    return taken | {
        "held": [attempt["held"] for attempt in ended],
        "any": [attempt["any"] for attempt in ended],
        "starts": [attempt["start"] for attempt in ended],
        "env_steps": session_steps[0],
    }


def replayed(args: argparse.Namespace, output: Path) -> dict[str, Any]:
    from apprentice.record.cfg import ReplayCfg
    from apprentice.record.replay import replay

    report = replay(output, ReplayCfg(task=args.task, num_envs=args.num_envs - 3, certify=False))
    return {
        "success": [demo.success for demo in report.demos],
        "bit_exact": [bool(demo.bit_exact) for demo in report.demos],
    }


def cell_rates(starts: list[dict[str, list[float]]], held: list[bool]) -> list[float]:
    """Success rate of each visited cell, over all objects."""
    rates: list[float] = []
    for name in starts[0]:
        xy = np.array([start[name][:2] for start in starts])
        low, high = xy.min(0), xy.max(0)
        cell = np.clip(((xy - low) / np.maximum(high - low, 1e-9) * CELLS).astype(int), 0, CELLS - 1) @ [CELLS, 1]
        rates += [float(np.array(held)[cell == one].mean()) for one in np.unique(cell)]
    return rates


def numbers(result: dict[str, Any]) -> dict[str, float]:
    successes = sum(result["held"])
    rates = cell_rates(result["starts"], result["held"])
    return {
        "dgr": successes / len(result["held"]),
        "dgr_any_step": float(np.mean(result["any"])),
        "per_hour": 3600 * successes / result["seconds"],
        "per_hour_cpu": 3600 * successes / result["cpu_seconds"],
        "env_steps_per_success": result["env_steps"] / max(successes, 1),
        "coverage": sum(rate > 0 for rate in rates) / len(rates),
        "worst_cell": min(rates),
    }


def in_process(stage: str, args: argparse.Namespace, output: Path) -> dict[str, Any]:
    """Run one stage alone: Isaac Lab keeps one simulation per process."""
    result = output.with_suffix(f".{stage}.json")
    command = [sys.executable, __file__, str(args.source), "--stage", stage, "--result", str(result)]
    command += ["--output", str(output), "--task", args.task]
    for name in ("attempts", "num_envs", "threads", "seed"):
        command += [f"--{name.replace('_', '-')}", str(getattr(args, name))]
    subprocess.run(command, check=True)
    return json.loads(result.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="source demos with subtask signals")
    parser.add_argument("--task", default="Apprentice-Stack-Franka")
    parser.add_argument("--attempts", type=int, default=128)
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--stage", choices=["retry", "plain", "stock", "replay"], help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.stage:
        if args.stage == "replay":
            result = replayed(args, args.output)
        elif args.stage == "stock":
            result = stock(args)
        else:
            result = ours(args, args.output, retry=args.stage == "retry")
        args.result.write_text(json.dumps(result))
        os._exit(0)  # Isaac Lab takes its time to close
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "demos.hdf5"
        retry, plain, peer, replay = (
            in_process(stage, args, output) for stage in ("retry", "plain", "stock", "replay")
        )
    with_retry, without, theirs = numbers(retry), numbers(plain), numbers(peer)
    flat = with_retry | {
        "dgr_no_retry": without["dgr"],
        "per_hour_no_retry": without["per_hour"],
        "replay_success": float(np.mean(replay["success"])),
        "replay_bit_exact": float(np.mean(replay["bit_exact"])),
        "attempts": len(retry["held"]),
        "stock_attempts": len(peer["held"]),
    }
    flat |= {f"stock_{key}": value for key, value in theirs.items()}
    print(f"{args.task}, {args.attempts} attempts, {args.num_envs} environments, {args.threads} thread(s)")
    print(f"{'':24}{'ours':>12}{'no retry':>12}{'isaaclab_mimic':>16}")
    for key in theirs:
        print(f"{key:24}{with_retry[key]:12.3f}{without[key]:12.3f}{theirs[key]:16.3f}")
    print(f"replay: {flat['replay_success']:.3f} succeed again, {flat['replay_bit_exact']:.3f} with the very same bits")
    if args.json:
        args.json.write_text(json.dumps(flat, indent=1))


if __name__ == "__main__":
    main()
