"""What each part of augmentation brings: from Isaac Lab Mimic's algorithm to ours, one part at a time.

    python benchmarks/ablation.py [SOURCE] [--task ID] [--variant d2] [--attempts 160] [--json FILE]

One process and one simulation plays all rows; attempt k starts from the same initial state in each. The first rows add
a part to the one before, the last rows take one part out of the whole. DGR counts held successes. "steps" is what the
physics stepped for each success, discarded tries included; "length" that of the demos. Learning between rounds does not
show in so few attempts.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from scipy.stats import binomtest
from stages import stack_source


def rows() -> dict[str, Any]:
    """The configurations, by name."""
    from apprentice.augment.cfg import AugmentCfg, stock_cfg

    whole = AugmentCfg()
    stock = stock_cfg()
    steps: list[tuple[str, dict[str, Any]]] = [
        ("+ bridge", {"bridge": whole.bridge}),
        ("+ select", {"selection": whole.selection, "learn": whole.learn}),
        ("+ symmetry", {"use_symmetry": True}),
        ("+ in-hand correction", {"keep_grasp": True}),
        ("+ noise", {"noise": whole.noise}),
        ("+ retry = ours", {"retry": whole.retry}),
    ]
    table, cfg = {"stock algorithm, batched": stock}, stock
    for name, change in steps:
        cfg = replace(cfg, **change)
        table[name] = cfg
    for name, change in steps:
        without = {field: getattr(stock, field) for field in change}
        if name == "+ noise":
            without["recovery"] = stock.recovery
        table["ours " + name.replace("+", "without").removesuffix(" = ours")] = replace(whole, **without)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, help="source demos with subtask signals; default: recorded")
    parser.add_argument("--task", default="Apprentice-Stack-Franka")
    parser.add_argument("--variant")
    parser.add_argument("--attempts", type=int, default=160)
    parser.add_argument("--num-envs", type=int, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="rows whose names hold one of these")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.source = stack_source(args.source)

    from apprentice.augment.lessons import Assignment
    from apprentice.augment.play.rollout import Rollout
    from apprentice.augment.prepare import make_planners
    from apprentice.tasks.session import open_session

    results: dict[str, dict[str, float]] = {}
    print(f"{args.task} {args.variant or ''}, {args.attempts} attempts a row")
    print(f"{'':32}{'DGR':>7}{'95 %':>16}{'steps':>8}{'length':>8}{'per hour':>10}")
    with open_session(args.task, num_envs=args.num_envs, variant=args.variant) as session:
        for name, cfg in rows().items():
            if args.only and not any(part in name for part in args.only):
                continue
            cfg = replace(cfg, seed=args.seed, variant=args.variant, num_envs=args.num_envs)
            assignments = map(Assignment, range(args.attempts))
            planners = make_planners(session, args.source, cfg)
            began = time.perf_counter()
            outcomes = [
                one.outcome
                for one in Rollout(session, planners, cfg).run(lambda assignments=assignments: next(assignments, None))
            ]
            seconds = time.perf_counter() - began
            held = [outcome for outcome in outcomes if outcome.success]
            ends = binomtest(len(held), len(outcomes)).proportion_ci(0.95, method="wilson")
            row = {
                "dgr": len(held) / len(outcomes),
                "low": float(ends.low),
                "high": float(ends.high),
                "steps_per_success": sum(outcome.env_steps for outcome in outcomes) / max(1, len(held)),
                "length": sum(outcome.length for outcome in held) / max(1, len(held)),
                "per_hour": 3600 * len(held) / seconds,
            }
            results[name] = row
            span = f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
            print(
                f"{name:32}{100 * row['dgr']:6.1f}%{span:>16}{row['steps_per_success']:8.0f}{row['length']:8.0f}"
                f"{row['per_hour']:10.0f}",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    os._exit(0)  # Isaac Lab takes its time to close


if __name__ == "__main__":
    main()
