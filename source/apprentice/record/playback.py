"""Plays recorded demos back, many side by side: their actions from the initial state, or their states one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from apprentice.demos import EXECUTED, Demo, DemoFile, Tree
from apprentice.errors import UserError
from apprentice.sim.physics import Physics
from apprentice.tasks.eef_maps import action_to_gripper, target_to_action
from apprentice.tasks.episode import EpisodeBuffer
from apprentice.tasks.infer import demo_structure, fits, infer_task
from apprentice.tasks.registry import resolve_task, task_info
from apprentice.tasks.session import Session

Rows = Callable[[Session, Tensor], Mapping[str, Tensor]]
"""What to note at a step, given the recorded actions of that step, shape (N, A). By path, shapes (N, ...)."""


@dataclass(kw_only=True, frozen=True)
class Played:
    """What playing one demo gave."""

    demo: Demo
    """The demo."""
    tree: Tree
    """What was noted, a row per step of the demo."""
    held_steps: int
    """Control steps in a row for which success had held at the end."""


@dataclass
class _Slot:
    demo: Demo
    step: int = 0
    held: int = 0


class Playback:
    """Plays demos in the environments of a session."""

    def __init__(
        self, session: Session, *, before: Rows | None = None, after: Rows | None = None, hold: int = 0
    ) -> None:
        """Args:
        session: The task.
        before: What to note before each step.
        after: What to note after each step; not called when states are played.
        hold: Control steps for which success must have held. Up to as many are added, holding still, to wait for it.
        """
        self._session, self._before, self._after, self._hold = session, before, after, hold
        self._buffer = EpisodeBuffer(session.num_envs)
        self._slots: dict[int, _Slot] = {}

    def actions(self, demos: Iterator[Demo]) -> Iterator[Played]:
        """Play what demos did from their initial states, open-loop: `Demo.executed`."""
        return self._run(demos, self._act)

    def states(self, demos: Iterator[Demo]) -> Iterator[Played]:
        """Put demos into each of their states before an action, without simulating."""
        return self._run(demos, self._show)

    def _run(self, demos: Iterator[Demo], advance: Callable[[], None]) -> Iterator[Played]:
        waiting = deque(range(self._session.num_envs))
        while True:
            while waiting and (demo := next(demos, None)) is not None:
                self._begin(waiting.popleft(), demo)
            if not self._slots:
                return
            advance()
            for env_id in [i for i, slot in self._slots.items() if self._is_over(slot)]:
                slot = self._slots.pop(env_id)
                yield Played(demo=slot.demo, tree=self._buffer.read(env_id), held_steps=slot.held)
                waiting.append(env_id)

    def _is_over(self, slot: _Slot) -> bool:
        waited = slot.step - slot.demo.length
        return waited >= 0 and (slot.held >= self._hold or waited >= self._hold)

    def _begin(self, env_id: int, demo: Demo) -> None:
        self._session.reset([env_id])
        self._session.set_physics([env_id], [Physics(**demo.attrs.get("physics", {}))])
        self._write([env_id], [_rows(demo.data, "initial_state/", 0)])
        self._buffer.begin([env_id], {})
        self._slots[env_id] = _Slot(demo=demo)

    def _write(self, env_ids: Sequence[int], states: Sequence[Mapping[str, Tensor]]) -> None:
        stacked = {key: torch.stack([state[key] for state in states]) for key in states[0]}
        self._session.set_state(stacked, env_ids)

    def _show(self) -> None:
        playing = {i: slot for i, slot in self._slots.items() if 0 < slot.step < slot.demo.length}
        if playing:
            # the state before an action is the one after the action before
            self._write(list(playing), [_rows(slot.demo.data, "states/", slot.step - 1) for slot in playing.values()])
        self._note(self._before, self._actions(executed=False))
        self._count(self._session.success())

    def _act(self) -> None:
        session, actions = self._session, self._actions(executed=False)
        self._note(self._before, actions)
        playing = torch.tensor([i in self._slots for i in range(session.num_envs)])
        session.step(self._actions(executed=True), playing)
        self._note(self._after, actions)
        self._count(session.success())

    def _note(self, rows: Rows | None, actions: Tensor) -> None:
        """Rows of a demo's own steps; the steps added at its end are not noted."""
        if rows is not None:
            slots = [self._slots.get(i) for i in range(self._session.num_envs)]
            own = torch.tensor([slot is not None and slot.step < slot.demo.length for slot in slots])
            self._buffer.add(rows(self._session, actions), own)

    def _count(self, success: Tensor) -> None:
        for env_id, slot in self._slots.items():
            slot.step += 1
            slot.held = slot.held + 1 if success[env_id] else 0

    def _actions(self, *, executed: bool) -> Tensor:
        """The actions that are due, and where a demo is over, ones that hold still. Shape (N, A).

        Args:
            executed: What was given to the environment, rather than what was recorded to learn from.
        """
        actions = self._session.neutral_actions().clone()
        holding = False
        for env_id, slot in self._slots.items():
            holding |= slot.step >= slot.demo.length
            rows = slot.demo.executed if executed else slot.demo.actions
            actions[env_id] = torch.from_numpy(rows[min(slot.step, slot.demo.length - 1)])
        if not holding or not self._session.task_info.mimic:
            return actions
        eefs = self._session.eef_poses()
        still = target_to_action(self._session.env, eefs, action_to_gripper(self._session.env, actions))
        for env_id, slot in self._slots.items():
            if slot.step >= slot.demo.length:
                actions[env_id] = still[env_id]
        return actions


def task_for(file: DemoFile, task: str | None) -> str:
    """Id of the task that the demos of a file are played in.

    Args:
        file: The demos.
        task: The one that the user names, if any.

    Raises:
        UserError: If there are no demos, or they are not of that task, or of none that is known.
    """
    if not file.names:
        raise UserError(f"{file.path}: expected demos, found none.")
    structure = demo_structure(file.keys(file.names[0]), file.action_dim or 0)
    if task is None:
        return infer_task(structure, file.task).task
    task = resolve_task(task)
    info = task_info(task)
    if info.action_dim not in (None, structure.action_dim) or (info.mimic and not fits(structure, info)):
        raise UserError(
            f"{file.path}: expected demos of {task} (objects {', '.join(info.objects)}; {info.action_dim} actions), "
            f"found objects {', '.join(sorted(structure.objects)) or 'none'} and {structure.action_dim} actions; name "
            "the task that they were recorded in."
        )
    return task


def load(file: DemoFile, keys: Sequence[str], names: Sequence[str] | None = None) -> Iterator[Demo]:
    """Demos one after the other (all by default), with the arrays that are to be played."""
    for name in file.names if names is None else names:
        executed = [EXECUTED] if EXECUTED in file.keys(name) else []
        yield file.read(name, [*keys, *executed])


def require_playable(file: DemoFile, session: Session, keys: Sequence[str]) -> None:
    """Check that a session can be put into the states of all demos.

    Args:
        file: The demos.
        session: The task.
        keys: "initial_state", and "states" if these are played too.

    Raises:
        UserError: If states are missing, or are not those of this task.
    """
    expected = {key: tuple(value.shape[1:]) for key, value in session.state().items()}
    for name in file.names:
        for group in keys:
            if not any(key.startswith(f"{group}/") for key in file.keys(name)):
                raise UserError(f"{file.path}, {name}, {group}: expected it, to play the demo back, found none.")
        tree = file.read(name, [key for key in keys if key == "initial_state"]).data
        for key, shape in expected.items():
            found = tree.get(f"initial_state/{key}")
            if found is None or found.shape[1:] != shape:
                what = "none" if found is None else f"shape {found.shape[1:]}"
                raise UserError(
                    f"{file.path}, {name}, initial_state/{key}: expected shape {shape} as in {session.task}, found "
                    f"{what}; name the task that it was recorded in."
                )


def _rows(tree: Tree, prefix: str, row: int) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): torch.from_numpy(value[row]) for key, value in tree.items() if key.startswith(prefix)
    }


def batch_size(file: DemoFile, at_most: int) -> int:
    """Environments for playing a file."""
    return max(1, min(at_most, len(file)))
