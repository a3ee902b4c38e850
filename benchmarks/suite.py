"""The table of tasks: every task of ours through the whole workflow, with its numbers and a picture.

    python benchmarks/suite.py [--tasks ID ...] [--variants d0] [--engines newton ovphysx] [--output runs/suite]

For each task and variant: the scripted operator's success over 64 episodes, ten source demos of d0, 1,000 demos that
are generated from them and the data generation rate of that, the same rate of `isaaclab_mimic` over 64 attempts
(`benchmarks/augment.py`), a policy from the demos with the default recipe and its success over 100 rollouts,
environment steps per second, the operator's success over a few episodes in other engines, and one frame of a demo. All
by the commands that users have; what is finished is kept, so the same command goes on after a stop. Writes the table to
`OUTPUT/table.md`, and to `OUTPUT/index.html` with a video of each policy.

Two tasks are measured side by side, each on one core: env-steps/s are those of one core of a machine that is in use.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any

from stages import Stages

BENCHMARKS = Path(__file__).parent
PICTURE = (480, 360)
"""Width and height (px)."""
COLOURS = 128
"""Of a picture, which makes it small enough to keep."""
MOMENT = 0.6
"""Share of the demo that is over in its picture."""
ENGINES = {"newton": 2, "ovphysx": 4}
"""Engines other than `native`, and episodes of the scripted operator in each: Newton takes its time on a processor."""
COLUMNS = {
    "operator": "scripted operator",
    "generated": "generated demos, of attempts",
    "stock": "isaaclab_mimic (at any step)",
    "policy": "policy, rollouts",
    "env_steps_per_s": "env-steps/s",
}
"""What is known of a task, and how the table calls it: successes of attempts, but for the speed."""


def measure(task: str, variant: str, args: argparse.Namespace) -> dict[str, Any]:
    """All numbers of a task and variant; those of stages that were done before are read again."""
    folder: Path = args.output / task / variant
    stages = Stages(folder)
    checks = _checked(folder / "check.json", task, variant, "native", args.episodes, args.episodes // 4)
    source = stages.recorded(task, args.output / task / "source.hdf5", args.seed)
    demos, policy, evaluated = folder / "demos.hdf5", folder / "policy", folder / "evaluated"
    if not (judged := evaluated / "evaluation.json").exists():
        made = ["--variant", variant, "--demos", args.demos, "--workers", 1]
        stages.apprentice("augment", source, *made, "--output", demos)
        if args.rollouts:
            stages.apprentice("train", demos, "--output", policy)
            played = ["--variant", variant, "--rollouts", args.rollouts, "--videos", 1]
            stages.apprentice("evaluate", policy, *played, "--output", evaluated)
    stock = folder / "stock.json"
    if args.attempts and not stock.exists():
        theirs = ["--stage", "stock", "--few", args.attempts, "--num-envs", args.attempts, "--result", stock]
        stages.python(BENCHMARKS / "augment.py", source, "--task", task, "--variant", variant, *theirs, may_fail=True)
    if not (picture := args.output / "pictures" / f"{task}.png").exists():
        stages.python(__file__, "--picture", task, source, picture)
    generated = json.loads(demos.with_name(f"{demos.name}.stats.json").read_text())
    found: dict[str, Any] = {
        "operator": _operator(checks),
        "generated": (generated["successes"], generated["attempts"]),
    }
    if stock.exists():
        theirs = json.loads(stock.read_text())
        found |= {"stock": (sum(theirs["held"]), len(theirs["held"])), "at_any_step": sum(theirs["any"])}
    if judged.exists():
        evaluation = json.loads(judged.read_text())
        found["policy"] = (evaluation["successes"], evaluation["rollouts"])
        found |= {"interval": evaluation["interval_95"], "env_steps_per_s": evaluation["env_steps_per_s"]}
    for engine in args.engines:
        found[engine] = _operator(
            _checked(folder / f"{engine}.json", task, variant, engine, ENGINES[engine], ENGINES[engine], "operator")
        )
    return found


def draw(task: str, source: Path, picture: Path) -> None:
    """One frame of the first demo, as people see it."""
    from PIL import Image

    from apprentice.demos import DemoFile
    from apprentice.sim.render import StateRenderer
    from apprentice.tasks.session import open_session
    from apprentice.tasks.views import task_views

    with DemoFile(source) as file:
        data = file.read(file.names[0], ["states"]).data
    states = {key.removeprefix("states/"): rows for key, rows in data.items() if key.startswith("states/")}
    moment = int(MOMENT * len(next(iter(states.values()))))
    with open_session(task) as session:
        view = task_views(session)[0]
        renderer = StateRenderer(session, (view,), width=PICTURE[0], height=PICTURE[1])
        image = renderer.render({key: rows[moment] for key, rows in states.items()})[view.name]
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).quantize(COLOURS).save(picture, optimize=True)
        sys.stdout.flush()
        os._exit(0)  # a simulator's threads may not stop when asked


def cells(rows: Mapping[str, Mapping[str, Any]], engines: list[str]) -> tuple[list[str], list[list[str]]]:
    """The table: its header, and a row for each task and variant."""
    columns = COLUMNS | {engine: f"operator on {engine}" for engine in engines}
    return ["task", *columns.values()], [[name, *(_cell(key, row) for key in columns)] for name, row in rows.items()]


def show(rows: Mapping[str, Mapping[str, Any]], args: argparse.Namespace) -> None:
    """Write the table, and the page on which every task has its picture, its numbers and its policy's video."""
    from apprentice.report.page import Section, command, grid, page
    from apprentice.report.page import table as page_table

    header, lines = cells(rows, args.engines)
    rule = "|---" * len(header) + "|"
    markdown = [" | ".join(line) for line in ([f"`{line[0]}`", *line[1:]] for line in lines)]
    head = " | ".join(header)
    text = "\n".join([f"| {head} |", rule, *(f"| {line} |" for line in markdown)]) + "\n"
    (args.output / "table.md").write_text(text)
    figures: list[str] = []
    for name, row in rows.items():
        task, variant = name.split()
        films = sorted((args.output / task / variant / "evaluated" / "videos").glob("*.mp4"))
        picture = f"pictures/{task}.png"
        shown = f'<img src="{picture}" alt="{task}" loading="lazy">'
        for film in films[-1:]:  # failures come first
            source = film.relative_to(args.output).as_posix()
            shown = f'<video controls loop muted playsinline preload="none" poster="{picture}" src="{source}"></video>'
        caption = escape(f"{name}: policy {_cell('policy', row)}")
        figures.append(f"<figure>{shown}<figcaption>{caption}</figcaption></figure>")
    body = page_table(header, lines) + command("python benchmarks/suite.py") + grid(figures, "videos")
    section = Section("tasks", "All tasks", "Ten demos of the scripted operator each; intervals are of 95 %.", body)
    whole = page(title="The task suite", subtitle=f"{len(rows)} tasks and variants", overview="", sections=[section])
    (args.output / "index.html").write_text(whole)


def _cell(key: str, row: Mapping[str, Any]) -> str:
    value = row.get(key)
    if value is None:
        return "-"
    if key == "env_steps_per_s":
        return f"{value:,.0f}"
    done, of = value
    more = f" ({row['at_any_step']:,})" if key == "stock" else ""
    if key == "policy":
        more = " [{:.0f}, {:.0f} %]".format(*(100 * end for end in row["interval"]))
    return f"{done:,} of {of:,}{more}"


def _checked(
    file: Path, task: str, variant: str, engine: str, episodes: int, num_envs: int, *sides: str
) -> list[dict[str, str]]:
    if not file.exists():
        how = ["--variant", variant, "--backend", engine, "--episodes", episodes, "--num-envs", num_envs]
        how += ["--sides", *sides] if sides else []
        Stages(file.parent).apprentice("check-task", task, *how, "--json", file, may_fail=True)
    return json.loads(file.read_text()) if file.exists() else []


def _operator(checks: list[dict[str, str]]) -> tuple[int, int] | None:
    found = next((check["found"] for check in checks if check["what"] == "scripted operator"), "")
    counts = re.match(r"(\d+) of (\d+)", found)
    return (int(counts[1]), int(counts[2])) if counts else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", help="ids; all of ours by default")
    parser.add_argument("--variants", nargs="+", default=["d0"])
    parser.add_argument("--engines", nargs="*", default=[*ENGINES], choices=[*ENGINES])
    parser.add_argument("--episodes", type=int, default=64, help="of the scripted operator")
    parser.add_argument("--attempts", type=int, default=64, help="of isaaclab_mimic, for its rate; 0: none")
    parser.add_argument("--demos", type=int, default=1000, help="that the policy learns from")
    parser.add_argument("--rollouts", type=int, default=100, help="of the policy; 0: none is trained")
    parser.add_argument("--seed", type=int, default=0, help="of the source demos")
    parser.add_argument("--workers", type=int, default=2, help="tasks measured side by side")
    parser.add_argument("--output", type=Path, default=Path("runs/suite"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", nargs=3, metavar=("TASK", "SOURCE", "PNG"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.picture:
        draw(args.picture[0], Path(args.picture[1]), Path(args.picture[2]))
    from apprentice.tasks.registry import known_tasks

    tasks = args.tasks or [task for task in known_tasks() if task.startswith("Apprentice-")]
    rows: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    # what the variants of a task share is made by the first of them, so one follows the other
    with ThreadPoolExecutor(args.workers) as pool:
        for task, found, problem in pool.map(lambda task: _task(task, args), tasks):
            rows |= found
            failed |= {task: problem} if problem else {}
            show(rows, args)
            if args.json:
                args.json.write_text(json.dumps(rows, indent=1))
    print((args.output / "table.md").read_text())
    for task, problem in failed.items():
        print(f"{task}: {problem}")
    sys.exit(bool(failed))


def _task(task: str, args: argparse.Namespace) -> tuple[str, dict[str, dict[str, Any]], str]:
    """All variants of a task, as far as they can be measured, and what went wrong."""
    rows: dict[str, dict[str, Any]] = {}
    try:
        for variant in args.variants:
            rows[f"{task} {variant}"] = measure(task, variant, args)
    except (subprocess.CalledProcessError, OSError, KeyError) as error:
        return task, rows, f"not measured: {error}; see log.txt of it"
    return task, rows, ""


if __name__ == "__main__":
    main()
