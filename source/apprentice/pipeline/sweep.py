"""Searches for good settings of a training: an Optuna study whose trials run in workers, resumable."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from apprentice.demos.durable import WriterLock, write_json
from apprentice.errors import UserError
from apprentice.learn.files import CONFIG
from apprentice.pipeline.sweep_cfg import SUCCESS, VALID_LOSS, SweepCfg, distributions, trial_cfg
from apprentice.pipeline.sweep_worker import OpenTrials, Outcome, Trial
from apprentice.pipeline.training import TrainingCfg
from apprentice.progress import Progress, silent

STUDY, RESULTS, BEST = "study.log", "sweep.json", "best.json"


def sweep(file: Path, output: Path, base: TrainingCfg, cfg: SweepCfg, progress: Progress = silent) -> dict[str, Any]:
    """Train with many settings and find the best.

    Writes `study.log` (Optuna's), `trials/NNNN/` (trainings), `sweep.json` (all trials) and `best.json` (the best one's
    config, to train from). A sweep that was killed goes on where it was.

    Args:
        file: The demo file.
        output: Folder for the results.
        base: The training that all trials share but for what is searched.
        cfg: What is searched, and how.
        progress: Told of trials.

    Returns:
        What `sweep.json` says.

    Raises:
        UserError: If Optuna is missing, `output` holds another sweep, or no trial could be trained.
    """
    # rollouts are played when a trial ends, by the same rule for all
    base = replace(base, evaluate_every=0, stop_at=0.0, wandb=None)
    output.mkdir(parents=True, exist_ok=True)
    with WriterLock(output / RESULTS):
        study = _study(file, output, base, cfg)
        from optuna.trial import TrialState

        space, files = distributions(cfg), output / "trials"
        unfinished = [trial for trial in study.trials if not trial.state.is_finished()]
        for trial in unfinished:
            if set(trial.params) != set(space):  # killed while it was thought up
                study.tell(trial.number, state=TrialState.FAIL)
        unfinished = [trial for trial in unfinished if set(trial.params) == set(space)]

        def asked() -> int:
            return sum(set(trial.params) == set(space) for trial in study.trials)

        under_way = 0

        def next_trial() -> Trial | None:
            nonlocal under_way
            if under_way == cfg.workers:  # what is thought up later knows more results
                return None
            if unfinished:
                trial = unfinished.pop(0)
            elif asked() < cfg.trials:
                trial = study.ask(fixed_distributions=space)
            else:
                return None
            under_way += 1
            return Trial(
                number=trial.number, folder=files / f"{trial.number:04d}", cfg=trial_cfg(base, dict(trial.params))
            )

        outcomes = _read(output)
        progress.update(len(outcomes), cfg.trials)
        open_trials = OpenTrials(file=file, cfg=base, plays=cfg.objective == SUCCESS)
        if unfinished or asked() < cfg.trials:
            with _worker(open_trials, min(cfg.workers, cfg.trials)) as worker:
                for outcome in worker.run(next_trial):
                    under_way -= 1
                    if outcome.error is None and outcome.valid_loss is None and cfg.objective == VALID_LOSS:
                        raise UserError(
                            f"Expected held-out demos in {file} for the objective {VALID_LOSS}, found none."
                        )
                    outcomes[outcome.number] = asdict(outcome)
                    # written before told: a kill in between leaves a trial that is done again, in no time
                    results = _write(output, cfg, study, outcomes)
                    _tell(study, cfg, outcome)
                    best = results["best"]
                    note = f"best {best[cfg.objective]:.4g} of trial {best['number']}" if best else ""
                    progress.update(len(outcomes), cfg.trials, note)
        results = _write(output, cfg, study, outcomes)
    if results["best"] is None:
        errors = sorted({str(outcome["error"]) for outcome in outcomes.values()})
        raise UserError(f"Expected a trial that can be trained, found none; the first says: {errors[0]}")
    return results


def _study(file: Path, output: Path, base: TrainingCfg, cfg: SweepCfg) -> Any:
    """The study in `output`, or a new one."""
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError as error:
        raise UserError(
            f"Expected Optuna for --sweep, but {error}; run `pip install isaaclab-apprentice[search]`."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = JournalStorage(JournalFileBackend(str(output / STUDY)))
    study = optuna.create_study(
        storage=storage,
        study_name="sweep",
        direction="maximize" if cfg.objective == SUCCESS else "minimize",
        load_if_exists=True,
    )
    # a sitting that goes on must not suggest again what the first one began with
    seed = cfg.seed + len(study.trials)
    study.sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=cfg.workers > 1)
    asked = {"file": str(file.resolve()), "base": asdict(base), "space": cfg.space, "objective": cfg.objective}
    digest = hashlib.blake2b(json.dumps(asked, sort_keys=True, default=str).encode(), digest_size=8).hexdigest()
    if study.user_attrs.get("digest", digest) != digest:
        raise UserError(
            f"Expected {output} to be new or to hold this very sweep, found one of other demos, options or space;"
            " choose another --output."
        )
    study.set_user_attr("digest", digest)
    return study


def _worker(open_trials: OpenTrials, workers: int) -> Any:
    """One worker in this process, or several in their own."""
    if workers == 1:
        return open_trials()
    from apprentice.workers import Pool

    return Pool(open_trials, workers)


def _tell(study: Any, cfg: SweepCfg, outcome: Outcome) -> None:
    from optuna.trial import TrialState

    value = outcome.success if cfg.objective == SUCCESS else outcome.valid_loss
    state = TrialState.COMPLETE if outcome.error is None else TrialState.FAIL
    study.tell(outcome.number, value if outcome.error is None else None, state=state)


def _read(output: Path) -> dict[int, dict[str, Any]]:
    with contextlib.suppress(FileNotFoundError):
        rows = json.loads((output / RESULTS).read_text())["trials"]
        return {row["number"]: {key: value for key, value in row.items() if key != "params"} for row in rows}
    return {}


def _write(output: Path, cfg: SweepCfg, study: Any, outcomes: dict[int, dict[str, Any]]) -> dict[str, Any]:
    params = {trial.number: trial.params for trial in study.trials}
    rows: list[dict[str, Any]] = [
        {**outcomes[number], "params": {key: _plain(value) for key, value in params[number].items()}}
        for number in sorted(outcomes)
    ]
    sign = -1 if cfg.objective == SUCCESS else 1
    ranked = sorted(
        (row for row in rows if row["error"] is None),
        # equally successful ones by their loss, then the earlier one
        key=lambda row: (sign * row[cfg.objective], row["valid_loss"] or 0.0, row["number"]),
    )
    best = ranked[0] if ranked else None
    results = {"objective": cfg.objective, "asked": cfg.trials, "best": best, "trials": rows}
    if best is not None:
        config = json.loads((output / "trials" / f"{best['number']:04d}" / CONFIG).read_text())["robomimic"]
        write_json(output / BEST, config)
    write_json(output / RESULTS, results)
    return results


def _plain(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
