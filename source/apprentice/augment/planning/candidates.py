"""What may be played for a subtask in the present scene: source segments, in all their turns, best first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.lessons import Lessons
from apprentice.augment.paths.fit import Segment
from apprentice.augment.paths.transform import displacements, drawn_along, held_object
from apprentice.augment.sources.contact import contact_starts
from apprentice.augment.sources.demos import SourceDemo
from apprentice.augment.sources.segment import Boundaries

from .select import Records, Starts, by_strategy, choose

MOST_SEGMENTS = 3
"""Source segments that are looked at before a subtask counts as impossible."""


@dataclass(frozen=True)
class Shared:
    """What the plans of end effectors that do something together have in common."""

    demo: int
    """Index of the source demo."""
    moved: Tensor
    """Rigid motion from the source scene to the present one. Shape (4, 4)."""
    carried: str | None
    """Object that all of them hold."""


@dataclass(kw_only=True, frozen=True)
class Request:
    """Which subtask is to be played, and when."""

    index: int
    """Number of the subtask."""
    eef: Tensor
    """End effector now. Shape (4, 4)."""
    objects: Mapping[str, Tensor]
    """Objects now. Shape (4, 4) each."""
    boundaries: Boundaries
    """Segment boundaries in use. Shape (D, S, 2)."""
    failed: Sequence[int]
    """Source demos that were tried in vain for this subtask in this attempt."""
    keep_demo: int | None
    """Source demo to use instead of choosing one."""
    skip_transit: bool
    """Whether segments may begin where their contact-rich part does."""
    lessons: Lessons
    """What is known of earlier attempts."""
    shared: Shared | None
    """What was settled with another end effector, in place of choosing and moving alone."""


@dataclass(kw_only=True, frozen=True)
class Candidate:
    """A segment that might be played."""

    demo: int
    """Index of its source demo."""
    region: int
    """Index of the source demo whose segment starts nearest to where the end effector is, seen from the object."""
    segment: Segment


class Candidates:
    """Segments of one end effector."""

    def __init__(
        self,
        eef: str,
        subtasks: Sequence[Any],
        demos: Sequence[SourceDemo],
        nominal: Boundaries,
        symmetry: Mapping[str, int],
        cfg: AugmentCfg,
    ) -> None:
        """Look through the source demos.

        Args:
            eef: Its name.
            subtasks: Its `SubTaskConfig`s.
            demos: Source demos.
            nominal: Their boundaries without offsets. Shape (D, S, 2).
            symmetry: Order of each object's symmetry about its z axis.
            cfg: Options.
        """
        self._eef, self._subtasks, self._demos, self._symmetry, self._cfg = eef, subtasks, demos, symmetry, cfg
        self._starts, self._records = Starts(demos, eef), Records(eef, [demo.name for demo in demos])
        # told by the whole segment: its contact-rich part may be too short to see something being carried
        self._held = [
            [
                held_object(
                    demo.eef[eef][start:end], {name: p[start:end] for name, p in demo.objects.items()}, part.object_ref
                )
                for part, (start, end) in zip(subtasks, rows, strict=True)
            ]
            for demo, rows in zip(demos, nominal.tolist(), strict=True)
        ]
        self._drawn = [
            [
                drawn_along(
                    demo.eef[eef][start:end],
                    {name: p[start:end] for name, p in demo.objects.items()},
                    part.object_ref,
                    held,
                )
                for part, (start, end), held in zip(subtasks, rows, in_hand, strict=True)
            ]
            for demo, rows, in_hand in zip(demos, nominal.tolist(), self._held, strict=True)
        ]
        self.contact = contact_starts(demos, nominal, subtasks, eef, cfg.bridge.near_m)
        """Where the contact-rich parts of the segments begin."""

    def of(self, wanted: Request, rng: np.random.Generator) -> Iterator[Candidate]:
        """All turns of the best segment, then of others; at last the best with its free transit.

        Args:
            wanted: What is to be played.
            rng: The attempt's generator.
        """
        whole = wanted.boundaries[:, wanted.index]
        rows, distances = self._starting(wanted)
        region = self._starts.region(distances)
        if wanted.shared is not None:
            yield Candidate(demo=wanted.shared.demo, region=region, segment=self._shared(wanted, wanted.shared))
            return
        refused: list[int] = []
        for _ in range(1 if wanted.keep_demo is not None else MOST_SEGMENTS):
            chosen = self._choose(wanted, rows, distances, refused, rng)
            refused.append(chosen)
            for segment in self._turns(wanted, chosen, rows[chosen]):
                yield Candidate(demo=chosen, region=region, segment=segment)
        if wanted.skip_transit:
            first = refused[0]
            yield Candidate(demo=first, region=region, segment=self._turns(wanted, first, whole[first])[0])

    def choose(self, wanted: Request, rng: np.random.Generator) -> tuple[int, int]:
        """Index of the source demo of the best candidate, and the pose region in which the end effector is."""
        rows, distances = self._starting(wanted)
        return self._choose(wanted, rows, distances, [], rng), self._starts.region(distances)

    def _starting(self, wanted: Request) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Segments of all demos, shape (D, 2), and how far the end effector is from where they start, shape (D,)."""
        rows = wanted.boundaries[:, wanted.index].copy()
        if wanted.skip_transit and wanted.shared is None:
            contact = self.contact.chosen(len(wanted.failed))[:, wanted.index]
            rows[:, 0] = np.minimum(np.maximum(rows[:, 0], contact), rows[:, 1] - 1)
        about = self._subtasks[wanted.index].object_ref
        present, order = (None, 1) if about is None else (wanted.objects[about], self._symmetry.get(about, 1))
        return rows, self._starts.distances(rows[:, 0], about, wanted.eef, present, order)

    def _choose(
        self,
        wanted: Request,
        rows: NDArray[np.int64],
        distances: NDArray[np.float64],
        refused: list[int],
        rng: np.random.Generator,
    ) -> int:
        if wanted.keep_demo is not None:
            return wanted.keep_demo
        subtask = self._subtasks[wanted.index]
        if self._cfg.selection == "nearest":
            record = self._records.of(wanted.index, self._starts.region(distances), wanted.lessons)
            return choose(distances, record, [*wanted.failed, *refused], rng)
        name, kwargs = self._cfg.selection, {}
        if name == "task":
            name, kwargs = subtask.selection_strategy, subtask.selection_strategy_kwargs or {}
        about = subtask.object_ref
        present = None if about is None else wanted.objects[about]
        return by_strategy(name, kwargs, self._demos, rows, self._eef, about, wanted.eef, present, rng)

    def _turns(self, wanted: Request, chosen: int, row: NDArray[np.int64]) -> list[Segment]:
        """A segment in all the turns that its object's symmetry allows, that of the hand's smallest rotation first."""
        demo, (start, end) = self._demos[chosen], (int(step) for step in row)
        about = self._subtasks[wanted.index].object_ref
        moves = [torch.eye(4, dtype=torch.float64)]
        if about is not None:
            source, present, order = demo.objects[about][start], wanted.objects[about], self._symmetry.get(about, 1)
            moves = list(displacements(source, present, demo.eef[self._eef][start], wanted.eef, order))
        held, drawn = self._held[chosen][wanted.index], self._drawn[chosen][wanted.index]
        now = int(wanted.boundaries[chosen, wanted.index, 0])
        return [
            Segment(demo=demo, start=start, end=end, about=about, held=held, drawn=drawn, now=now, moved=moved)
            for moved in moves
        ]

    def _shared(self, wanted: Request, shared: Shared) -> Segment:
        start, end = (int(step) for step in wanted.boundaries[shared.demo, wanted.index])
        return Segment(
            demo=self._demos[shared.demo],
            start=start,
            end=end,
            about=self._subtasks[wanted.index].object_ref,
            held=shared.carried or self._held[shared.demo][wanted.index],
            now=start,
            moved=shared.moved,
            held_fast=shared.carried is not None,
        )
