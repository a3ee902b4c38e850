"""Plays a policy in many environments at once and counts held successes.

Rollout i starts from the initial state of seed + i, or from start state i where such are given, whichever environment
plays it and however many there are. An environment whose rollout ends begins the next one at once; the others do not
notice.
"""

from __future__ import annotations

import hashlib
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from apprentice.demos.start_states import StartStates, require_fitting
from apprentice.errors import UserError
from apprentice.evaluate import failures, results
from apprentice.evaluate.cfg import EvaluateCfg
from apprentice.evaluate.contracts import Intervention, Policy, Simulation
from apprentice.evaluate.journal import Identity, Journal, Rollout
from apprentice.evaluate.play import play
from apprentice.evaluate.recording import Recording
from apprentice.evaluate.results import Evaluation
from apprentice.evaluate.sequential import clear_after
from apprentice.evaluate.slots import Slots, subtask_names
from apprentice.progress import Progress, silent


def checkpoint_sha256(checkpoint: Path) -> str:
    """Hash of the file that holds a policy: `checkpoint` itself, or `policy.pth` in it.

    Raises:
        UserError: If there is no such file.
    """
    path = checkpoint / "policy.pth" if checkpoint.is_dir() else checkpoint
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"Expected a policy in {path}, but it cannot be read ({error.strerror}); train one first, or name the "
            "folder that `apprentice train` wrote."
        ) from error


def identify(
    cfg: EvaluateCfg,
    *,
    checkpoint: Path,
    task: str,
    variant: str | None,
    backend: str,
    starts: StartStates | None = None,
    condition: Mapping[str, Any] | None = None,
) -> Identity:
    """What names this evaluation; with it `results.read_finished` tells, before a simulator starts, if it is done."""
    return Identity(
        task=task,
        variant=variant,
        backend=backend,
        checkpoint_sha256=checkpoint_sha256(checkpoint),
        rollouts=cfg.rollouts,
        seed=cfg.seed,
        held_steps=cfg.held_steps,
        horizon=cfg.horizon,
        clear_of=cfg.clear_of,
        states_sha256=None if starts is None else starts.sha256,
        condition=dict(condition) if condition else None,
    )


def evaluate(
    policy: Policy,
    session: Simulation,
    cfg: EvaluateCfg,
    *,
    checkpoint: Path,
    output: Path,
    starts: StartStates | None = None,
    training: Mapping[str, Any] | None = None,
    interventions: Sequence[Intervention] = (),
    condition: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Play the policy and write what happened.

    A finished evaluation in `output` is returned, an interrupted one continued.

    Args:
        policy: Plays; loaded from `checkpoint`.
        session: Simulator; all its environments are used.
        cfg: How many rollouts, and what counts as success.
        checkpoint: File or folder of the policy, to tell evaluations apart.
        output: Folder for `evaluation.json`, `rollouts.parquet`, `failures.json`, the traces of failures, the states
            from which they began, and all states of a few rollouts.
        starts: States to start from, one for each rollout; None starts from the initial states of seeds.
        training: Which training made the policy, to tell evaluations of one recipe from those of several.
        interventions: What happens during rollouts.
        condition: What they, or wrappers of `policy` and changes of `session`, make different from the task: to tell
            evaluations apart.
        progress: Told of finished rollouts.

    Raises:
        UserError: If `output` holds another evaluation, is being written, or cannot be; there are too few start states,
            or they are of another task; or no rollout counts.
    """
    _check_starts(starts, session, cfg)
    identity = identify(
        cfg,
        checkpoint=checkpoint,
        task=session.task,
        variant=session.variant,
        backend=session.backend,
        starts=starts,
        condition=condition,
    )
    finished = results.read_finished(output, identity)
    if finished is not None:
        return finished
    with Journal(output, identity) as journal:
        played = {rollout.index for rollout in journal.rollouts}
        known = _clear(journal.rollouts, cfg)
        pending = [] if known else [index for index in range(cfg.rollouts) if index not in played]
        recording = Recording(output, session, horizon=cfg.horizon, videos=cfg.videos)
        slots = Slots(session, cfg, starts, interventions)
        for rollout in play(policy, session, slots, pending, recording, journal.run):
            journal.append(rollout)
            if _clear(journal.rollouts, cfg):
                break
            successes = sum(rollout.success for rollout in journal.rollouts)
            rate = 100 * successes / len(journal.rollouts)
            progress.update(len(journal.rollouts), cfg.rollouts, f"{successes} succeeded ({rate:.0f} %)")
        _require_some(journal.rollouts)
        evaluation = results.summarise(identity, journal.rollouts, subtask_names(session.task_info), training)
        rows = results.rows(evaluation, journal.rollouts)
        failures.analyse(output, evaluation, rows, session.task_info.symmetry)
        results.write(output, evaluation, journal.rollouts)
    return evaluation


def successes(policy: Policy, session: Simulation, cfg: EvaluateCfg, progress: Progress = silent) -> list[bool]:
    """Play the policy and keep nothing else: whether each rollout succeeded, in the order of their seeds."""
    found: dict[int, bool] = {}
    with tempfile.TemporaryDirectory() as scratch:
        recording = Recording(Path(scratch), session, horizon=cfg.horizon, videos=0)
        for rollout in play(policy, session, Slots(session, cfg, None, ()), range(cfg.rollouts), recording, 0):
            found[rollout.index] = rollout.success
            progress.update(len(found), cfg.rollouts, f"{sum(found.values())} succeeded")
    return [found[index] for index in range(cfg.rollouts)]


def _check_starts(starts: StartStates | None, session: Simulation, cfg: EvaluateCfg) -> None:
    if starts is None:
        return
    require_fitting(starts, session.task, list(session.state()))
    if len(starts) < cfg.rollouts:
        raise UserError(f"Expected {cfg.rollouts} start states, one for each rollout, found {len(starts)}.")


def _clear(rollouts: Sequence[Rollout], cfg: EvaluateCfg) -> bool:
    """Whether enough is known. Only rollouts before which none is missing count: short ones, successes, end first."""
    if cfg.clear_of is None:
        return False
    known = {rollout.index: rollout for rollout in rollouts}
    in_order = list(itertools.takewhile(lambda index: index in known, itertools.count()))
    outcomes = [known[index].success for index in in_order if known[index].not_counted is None]
    return clear_after(outcomes, cfg.clear_of) is not None


def _require_some(rollouts: Sequence[Rollout]) -> None:
    if all(rollout.not_counted for rollout in rollouts):
        reasons = sorted({rollout.not_counted for rollout in rollouts if rollout.not_counted})
        raise UserError(
            f"Expected at least one of {len(rollouts)} rollouts to count, found none: {'; '.join(reasons)}. Play more "
            "rollouts, or leave this condition out."
        )
