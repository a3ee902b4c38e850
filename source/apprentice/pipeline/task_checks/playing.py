"""Whether the scripted operator gets through, in which order signals come, and whether the same is the same again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from apprentice.errors import UserError
from apprentice.pipeline.task_checks.check import Check, CheckTaskCfg, judged
from apprentice.progress import Progress
from apprentice.record.cfg import RecordCfg
from apprentice.record.ends import Ended
from apprentice.record.loop import EpisodeLoop
from apprentice.record.operators import retarget_for, scripted_operators

ENOUGH = 0.9
"""Share of the scripted operator's episodes that must succeed."""
SLOW = 100.0
"""Environment steps per second and core below which augmentation takes long."""
_SIGNAL = "obs/datagen_info/subtask_term_signals/"
_REPLAYED_STEPS = 40


def playing(session: Any, cfg: CheckTaskCfg, progress: Progress) -> Iterator[Check]:
    """Let the scripted operator play episodes."""
    if not cfg.episodes:
        return
    try:
        operators = scripted_operators(session)
    except UserError:
        yield Check(
            status="note",
            what="scripted operator",
            found="nobody wrote one",
            advice="Write its waypoints and name the function as oracles_entry_point when the task is registered.",
        )
        return
    seeds = iter(range(cfg.seed, cfg.seed + cfg.episodes))
    how = RecordCfg(device=("scripted",), num_envs=session.num_envs)
    loop = EpisodeLoop(session, operators, how, retarget=retarget_for(session))
    ended: list[Ended] = []
    for episode in loop.run(lambda: next(seeds, None)):
        ended.append(episode)
        progress.update(len(ended), cfg.episodes, f"{sum(one.success for one in ended)} succeeded")
    yield _successes(ended, session)
    yield from _order([one for one in ended if one.success], session)


def _successes(ended: Sequence[Ended], session: Any) -> Check:
    won = sum(one.success for one in ended)
    stuck = Counter(_first_missing(one, session) for one in ended if not one.success)
    where = "; ".join(f"{count} at {name}" for name, count in stuck.most_common())
    return judged(
        "scripted operator",
        f"{won} of {len(ended)} episodes succeed" + (f", the others fail {where}" if where else ""),
        won >= ENOUGH * len(ended),
        "Draw a failed episode: `apprentice record TASK --device scripted --keep-failed --output F`, then `render`.",
    )


def _first_missing(one: Ended, session: Any) -> str:
    signals = [signal for parts in session.task_info.subtasks.values() for _, signal in parts if signal]
    return next((name for name in signals if not np.any(one.tree[_SIGNAL + name])), "the end")


def _order(won: Sequence[Ended], session: Any) -> Iterator[Check]:
    """Each signal of an end effector must come after the one before, in every success."""
    for eef, parts in session.task_info.subtasks.items():
        names = [signal for _, signal in parts if signal]
        wrong: Counter[str] = Counter()
        for one in won:
            firsts = [int(np.argmax(np.asarray(one.tree[_SIGNAL + name]).reshape(-1) > 0)) for name in names]
            silent = [name for name in names if not np.any(one.tree[_SIGNAL + name])]
            wrong.update(f"{name} never comes" for name in silent)
            pairs = zip(names, names[1:], firsts, firsts[1:], strict=False)
            wrong.update(f"{b} comes before {a}" for a, b, i, j in pairs if j < i and not {a, b} & set(silent))
        if names and won:
            yield judged(
                f"order of signals of {eef}",
                "; ".join(f"{text} ({count} of {len(won)} successes)" for text, count in wrong.items())
                or ", ".join(names),
                not wrong,
                "Demos are cut where each signal first becomes true: make its condition say when its subtask is over.",
            )


def repeatable(session: Any, cfg: CheckTaskCfg) -> Iterator[Check]:
    """Whether the same actions from the same state lead to the same states, and how fast it all goes."""
    ids = list(range(session.num_envs))
    draw = torch.Generator().manual_seed(cfg.seed)
    neutral = session.neutral_actions()
    moves = [neutral + 0.02 * torch.randn(neutral.shape, generator=draw).to(neutral) for _ in range(_REPLAYED_STEPS)]
    states: list[dict[str, torch.Tensor]] = []
    started = 0.0
    for _ in range(2):
        session.reset(ids, [cfg.seed + number for number in ids])
        started = time.perf_counter()
        for action in moves:
            session.step(action)
        states.append(session.state())
    speed = len(ids) * _REPLAYED_STEPS / (time.perf_counter() - started)
    apart = max(float((value - states[1][key]).abs().max()) for key, value in states[0].items())
    exact = cfg.backend in ("native", "newton")
    yield judged(
        "determinism",
        "the same actions give the same states, bit for bit" if apart == 0 else f"states end {apart:.2g} apart",
        apart == 0 or not exact,
        "Something outlives a reset: look for terms that keep state between episodes and have no reset of their own.",
    )
    yield Check(
        status="ok" if speed >= SLOW else "note",
        what="speed",
        found=f"{speed:,.0f} environment steps per second with {len(ids)} environments",
        advice=""
        if speed >= SLOW
        else "Look for terms that loop over environments, and for needless collision shapes.",
    )
