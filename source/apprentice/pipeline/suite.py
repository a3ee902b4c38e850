"""Evaluates a checkpoint under many conditions: one ordinary evaluation each, compared with the nominal one.

Isaac Lab keeps one simulation per process, so conditions that differ in engine, variant or control rate are played in
processes of their own, one after the other; the rest share one.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apprentice.errors import UserError
from apprentice.evaluate.robustness.cfg import NOMINAL, Condition
from apprentice.pipeline.evaluation import EvaluationCfg, all_drawn, draw_videos, observed, task_of
from apprentice.progress import Progress, silent

if TYPE_CHECKING:
    from apprentice.evaluate.journal import Identity
    from apprentice.evaluate.robustness.results import Suite

REACH_MARGIN_M = 0.02
"""Added to what resets draw from: there, objects can be reached as well."""


@dataclass(kw_only=True, frozen=True)
class Group:
    """Conditions that are played in one process."""

    checkpoint: Path
    output: Path
    cfg: EvaluationCfg
    """With the group's task, backend and variant."""
    control_rate: float
    conditions: tuple[Condition, ...]


def evaluate_suite(
    checkpoint: Path, output: Path, suite: str, cfg: EvaluationCfg, progress: Progress = silent
) -> Suite:
    """Play a policy under all conditions of a suite, from the same seeds, and write what happened.

    Conditions that are finished in `output` are not played again.

    Args:
        checkpoint: Folder that `apprentice train` wrote, or a Robomimic checkpoint.
        output: Folder for `suite.json`, `report.html`, one folder for each condition, and `mishaps.hdf5`: the states
            that mishaps left behind.
        suite: Name of a suite, or a YAML file of conditions.
        cfg: How to evaluate each of them.
        progress: Told of finished rollouts.

    Raises:
        UserError: If the suite, the policy or the task can't be opened, or `output` holds another evaluation.
    """
    from apprentice.evaluate.robustness import results
    from apprentice.evaluate.robustness.suites import load_suite
    from apprentice.report import build_report

    if cfg.states is not None:
        raise UserError("Expected --suite or --states, found both; evaluate from states without a suite.")
    conditions = load_suite(suite)
    cfg = replace(cfg, task=task_of(checkpoint, cfg.task))
    refused = _refused(checkpoint, conditions, cfg)
    possible = [condition for condition in conditions if condition.name not in refused]
    total = len(possible) * cfg.rollouts
    done = 0
    for group in _groups(checkpoint, output, possible, cfg):
        missing = [condition for condition in group.conditions if not _is_finished(group, condition)]
        if missing:
            refused |= _play(group, done, total, progress)
        done += len(group.conditions) * cfg.rollouts
    found = results.summarise(suite, output, conditions, refused)
    results.join_mishaps(output, possible)
    results.write(found, output)
    build_report(output)
    return found


def _refused(checkpoint: Path, conditions: Sequence[Condition], cfg: EvaluationCfg) -> dict[str, str]:
    """Why conditions do not apply to this policy and task, by their names."""
    from apprentice.evaluate.robustness.apply import why_not
    from apprentice.learn.play.policy import load_policy
    from apprentice.tasks.registry import task_info

    observes_images = bool(load_policy(checkpoint).cameras)
    variants = task_info(cfg.task or "").variants
    reasons = {
        condition.name: why_not(
            condition,
            backend=cfg.backend,
            variant=cfg.variant,
            variants=variants,
            observes_images=observes_images,
        )
        for condition in conditions
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _groups(checkpoint: Path, output: Path, conditions: Sequence[Condition], cfg: EvaluationCfg) -> list[Group]:
    """The nominal condition's group first."""
    groups: dict[tuple[str, str | None, float], list[Condition]] = {}
    for condition in conditions:
        key = condition.backend or cfg.backend, condition.variant or cfg.variant, condition.control_rate
        groups.setdefault(key, []).append(condition)
    return [
        Group(
            checkpoint=checkpoint,
            output=output,
            cfg=replace(cfg, backend=backend, variant=variant),
            control_rate=rate,
            conditions=tuple(members),
        )
        for (backend, variant, rate), members in groups.items()
    ]


def _identity(group: Group, condition: Condition) -> Identity:
    from apprentice.evaluate.rollouts import identify

    cfg = group.cfg
    return identify(
        cfg,
        checkpoint=group.checkpoint,
        task=cfg.task or "",
        variant=cfg.variant,
        backend=cfg.backend,
        condition=condition.changes,
    )


def _is_finished(group: Group, condition: Condition) -> bool:
    from apprentice.evaluate.results import read_finished

    output = group.output / condition.name
    return read_finished(output, _identity(group, condition)) is not None and all_drawn(output)


def _play(group: Group, done: int, total: int, progress: Progress) -> dict[str, str]:
    """Play a group in a process of its own. Returns why conditions turned out not to be possible, by name."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_play_here, args=(group, sender), daemon=True)
    process.start()
    sender.close()
    refused: dict[str, str] = {}
    try:
        while True:
            kind, *content = receiver.recv()
            if kind == "progress":
                place, played, note = content
                name = group.conditions[place].name
                progress.update(done + place * group.cfg.rollouts + played, total, f"{name}: {note}")
            elif kind == "refused":
                refused |= dict([content])
            elif kind == "failed":
                raise UserError(content[0])
            else:
                return refused
    except EOFError:
        process.join()
        names = ", ".join(condition.name for condition in group.conditions)
        raise UserError(
            f"Expected to play {names}, but their process ended ({process.exitcode}); what it said stands above. The "
            "same command goes on from there."
        ) from None
    finally:
        process.kill()
        process.join()


def _play_here(group: Group, sender: Connection) -> None:
    """What a group's process does. It ends at once, as native threads of a simulation may not stop when asked."""
    code = 1
    try:
        _play_conditions(group, sender)
        sender.send(("done",))
        code = 0
    except UserError as error:
        sender.send(("failed", str(error)))
        code = 0
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        pass  # whoever asked for this is gone
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sender.close()
        os._exit(code)


def _play_conditions(group: Group, sender: Connection) -> None:
    from apprentice.evaluate.robustness.apply import applied
    from apprentice.evaluate.rollouts import evaluate
    from apprentice.learn.play.policy import load_policy
    from apprentice.learn.training.identity import identity_of
    from apprentice.tasks.session import open_session

    cfg = group.cfg
    policy = load_policy(group.checkpoint)
    training = identity_of(group.checkpoint, policy.about)
    region = _region(cfg.task or "")
    with open_session(
        cfg.task or "",
        backend=cfg.backend,
        num_envs=min(cfg.num_envs, cfg.rollouts),
        variant=cfg.variant,
        threads=cfg.threads,
        control_rate=group.control_rate,
    ) as session:
        played: list[Path] = []
        for place, condition in enumerate(group.conditions):
            output = group.output / condition.name
            try:
                with (
                    observed(session, policy, condition.looks) as simulation,
                    applied(condition, policy, session, region=region) as (player, interventions),
                ):
                    evaluate(
                        player,
                        simulation,
                        cfg,
                        checkpoint=group.checkpoint,
                        output=output,
                        training=training,
                        interventions=interventions,
                        condition=condition.changes,
                        progress=_Sent(sender, place),
                    )
                played.append(output)
            except UserError as error:
                if condition.name == NOMINAL.name:
                    raise
                sender.send(("refused", condition.name, str(error)))
        draw_videos(session, played)


class _Sent:
    """Progress of one condition, told to whoever waits for its process."""

    def __init__(self, sender: Connection, place: int) -> None:
        self._sender, self._place = sender, place

    def update(self, done: int, total: int, note: str = "") -> None:
        del total
        self._sender.send(("progress", self._place, done, note))


def _region(task: str) -> Any:
    """Where objects can be reached, or None."""
    from apprentice.evaluate.robustness.aftermath import Region
    from apprentice.tasks.registry import reach

    found = reach(task)
    if found is None:
        return None
    (x_low, y_low), (x_high, y_high) = found
    margin = REACH_MARGIN_M
    return Region(low_m=(x_low - margin, y_low - margin), high_m=(x_high + margin, y_high + margin))
