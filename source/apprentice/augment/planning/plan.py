"""Plans: the targets that play one source segment for one end effector in the present scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from apprentice.augment.cfg import AugmentCfg
from apprentice.augment.lessons import NO_LESSONS, Lessons
from apprentice.augment.paths import bridge, profile
from apprentice.augment.paths.fit import ROOM_M, Fitted, Fitter
from apprentice.augment.paths.limits import Problem, Space
from apprentice.augment.sources.demos import SourceDemo
from apprentice.augment.sources.segment import Boundaries, draw_boundaries, nominal_boundaries
from apprentice.poses import position, rotation, rotation_angle

from . import noise
from .candidates import Candidate, Candidates, Request, Shared
from .recovery import pushes

_REST_M = 0.01
"""A hand that stays within this distance of a place rests there..."""
_REST_RAD = 0.1
"""...if it does not turn further than this."""


@dataclass(frozen=True)
class Plan:
    """What an end effector is told, step by step, during one subtask."""

    targets: Tensor
    """Poses in the environment frame, noise included. Shape (L, 4, 4), float32."""
    labels: Tensor
    """The same without noise and pushes: what is recorded to learn from, where labels are clean. Shape (L, 4, 4)."""
    gripper: Tensor
    """Gripper commands. Shape (L, G), float32."""
    demo: int
    """Index of the source demo."""
    region: int
    """Index of the source demo whose segment starts nearest to where the end effector was, seen from the object."""
    start: int
    """First step of the segment in the source demo."""
    end: int
    """The step after its last."""
    bridge_steps: int
    """Steps of the plan before the segment."""
    bridge: bridge.Kind
    """How the way to the segment was found."""
    problem: Problem | None
    """Why it must not be played, or None."""
    last_target: Tensor
    """Where the plan ends, without noise. Shape (4, 4)."""
    needs_signal_at_end: bool
    """Whether the subtask's signal must be true when the plan ends, or just have risen during it: what it did in the
    source demo."""
    moved: Tensor
    """Rigid motion from the source scene to the present one. Shape (4, 4)."""
    meet_at: int | None = None
    """Step from which on it is played in step with the plan of another end effector; it waits for that one there."""

    def rests_until(self, step: int) -> int:
        """The first step after this one at which it is elsewhere, or the gripper is told something else; or its end."""
        labels, gripper = self.labels[step:], self.gripper[step:]
        stirs = (position(labels) - position(labels[:1])).norm(dim=1) > _REST_M
        stirs |= rotation_angle(rotation(labels) @ rotation(labels[:1]).mT) > _REST_RAD
        stirs |= (gripper != gripper[:1]).any(1)
        return step + (int(stirs.nonzero()[0]) if bool(stirs.any()) else len(labels))


@dataclass(frozen=True)
class Scene:
    """What a plan depends on: where things are in one environment. float64."""

    eef: Mapping[str, Tensor]
    """Pose per end effector. Shape (4, 4)."""
    objects: Mapping[str, Tensor]
    """Pose per object. Shape (4, 4)."""
    space: Callable[[str, str | None], Space] | None = None
    """Gives the arm of an end effector, with the object that it holds if any, for looking ahead; None where the backend
    cannot look."""


class Planner:
    """Makes plans for one end effector. Draws only from the generator it is given, so that attempts are repeatable."""

    def __init__(
        self,
        eef: str,
        subtasks: Sequence[Any],
        demos: Sequence[SourceDemo],
        *,
        symmetry: Mapping[str, int],
        control_hz: float,
        from_last_target: bool,
        cfg: AugmentCfg,
        pace: float = 1.0,
    ) -> None:
        """Cut the source demos.

        Args:
            eef: Its name.
            subtasks: Its `SubTaskConfig`s.
            demos: Source demos.
            symmetry: Order of each object's symmetry about its z axis.
            control_hz: Control steps per second.
            from_last_target: Whether fixed bridges start at the last target (else at the end effector).
            cfg: Options.
            pace: Share of the bridges' speeds at which this hand carries things.

        Raises:
            UserError: If no demo can be cut into the subtasks.
        """
        usable, self.nominal = nominal_boundaries(demos, subtasks, eef)
        self.eef = eef
        self.subtasks = subtasks
        self.demos = [demos[index] for index in usable]
        self._lengths = np.array([demo.length for demo in self.demos])
        self.symmetry = symmetry if cfg.use_symmetry else {}
        self.candidates = Candidates(eef, subtasks, self.demos, self.nominal, self.symmetry, cfg)
        """What may be played."""
        self._fitter = Fitter(eef, self.demos, control_hz, cfg.keep_grasp, cfg.bridge, pace)
        self._from_last_target = from_last_target
        self._cfg = cfg

    @property
    def max_steps(self) -> int:
        """No plan is longer."""
        longest_bridge = max(
            profile.MAX_STEPS, *(part.num_interpolation_steps + part.num_fixed_steps for part in self.subtasks)
        )
        return int(self._lengths.max()) + longest_bridge + 1

    def draw(self, rng: np.random.Generator) -> Boundaries:
        """Segment boundaries with random offsets."""
        return draw_boundaries(self.nominal, self._lengths, self.subtasks, rng)

    def plan(
        self,
        index: int,
        scene: Scene,
        boundaries: Boundaries,
        *,
        failed: Sequence[int],
        keep_demo: int | None,
        last_target: Tensor | None,
        rng: np.random.Generator,
        lessons: Lessons = NO_LESSONS,
        shared: Shared | None = None,
    ) -> Plan:
        """Choose a segment and fit it into the scene.

        Args:
            index: Number of the subtask.
            scene: Where things are.
            boundaries: From `draw`.
            failed: Source demos that were tried in vain for this subtask in this attempt.
            keep_demo: Source demo to use instead of choosing one.
            last_target: Where the plan before ended, if there was one. Shape (4, 4).
            rng: The attempt's generator.
            lessons: What is known of earlier attempts.
            shared: What was settled with another end effector, in place of choosing and moving alone.
        """
        subtask = self.subtasks[index]
        wanted = self._request(index, scene, boundaries, failed, keep_demo, lessons, shared)
        candidate, fitted = self._fitted(wanted, scene, last_target, rng)
        demo, start, end = candidate.segment.demo, candidate.segment.start, candidate.segment.end
        gripper = demo.gripper[self.eef][start:end]
        gripper = torch.cat((gripper[:1].expand(fitted.bridge_steps, -1), gripper))
        near = noise.near_contact(gripper, fitted.hand, self._cfg.noise)
        near[: fitted.leaving_steps] = True
        path, quiet = fitted.targets, self._levels(subtask, near, fitted.bridge_steps, len(failed))
        last = index == len(self.subtasks) - 1
        if last:
            # the last target is held while success is awaited
            path, quiet, gripper, near = (torch.cat((rows, rows[-1:])) for rows in (path, quiet, gripper, near))
            quiet[-1] = 0.0
        signal = subtask.subtask_term_signal
        offsets = pushes(~near, fitted.bridge_steps, self._cfg.noise.per_retry ** len(failed), rng, self._cfg.recovery)
        return Plan(
            targets=noise.perturb(path, quiet, offsets, rng).to(torch.float32),
            labels=path.to(torch.float32),
            gripper=gripper,
            demo=candidate.demo,
            region=candidate.region,
            start=start,
            end=end,
            bridge_steps=fitted.bridge_steps,
            bridge=fitted.bridge,
            problem=fitted.problem,
            last_target=path[-1],
            needs_signal_at_end=not last and bool(demo.signals[signal][min(end, demo.length - 1)]),
            moved=candidate.segment.moved,
        )

    def choose(
        self,
        index: int,
        scene: Scene,
        boundaries: Boundaries,
        *,
        failed: Sequence[int],
        keep_demo: int | None,
        rng: np.random.Generator,
        lessons: Lessons = NO_LESSONS,
    ) -> tuple[int, int]:
        """Choose a source demo, as `plan` does.

        Args:
            index: Those of `plan`.
            scene: Likewise.
            boundaries: Likewise.
            failed: Likewise.
            keep_demo: Likewise.
            rng: Likewise.
            lessons: Likewise.

        Returns:
            Index of the demo, and the pose region in which the end effector is.
        """
        wanted = self._request(index, scene, boundaries, failed, keep_demo, lessons, None)
        return self.candidates.choose(replace(wanted, skip_transit=False), rng)

    def _request(
        self,
        index: int,
        scene: Scene,
        boundaries: Boundaries,
        failed: Sequence[int],
        keep_demo: int | None,
        lessons: Lessons,
        shared: Shared | None,
    ) -> Request:
        bridging = self._cfg.bridge
        return Request(
            index=index,
            eef=scene.eef[self.eef],
            objects=scene.objects,
            boundaries=boundaries,
            failed=failed,
            keep_demo=keep_demo,
            skip_transit=bridging.kind == "timed" and bridging.skip_transit and scene.space is not None,
            lessons=lessons,
            shared=shared,
        )

    def _fitted(
        self, wanted: Request, scene: Scene, last_target: Tensor | None, rng: np.random.Generator
    ) -> tuple[Candidate, Fitted]:
        """The first segment, turn and beginning that the arm can play with room to spare; if there is none, that with
        the most room; if it can play none, the first of all.
        """
        tried: list[tuple[Candidate, Fitted]] = []
        for candidate in self.candidates.of(wanted, rng):
            held = candidate.segment.held
            held_pose = None if held is None else scene.objects[held]
            if self._cfg.bridge.kind == "fixed":
                part = self.subtasks[wanted.index]
                begin = last_target if last_target is not None and self._from_last_target else wanted.eef
                steps = part.num_interpolation_steps, part.num_fixed_steps
                return candidate, self._fitter.fixed(candidate.segment, wanted.eef, held_pose, begin, *steps)
            # several hands on one object are in each other's way by nature
            space = None if scene.space is None or wanted.shared else scene.space(self.eef, held)
            fitted = self._fitter.fit(candidate.segment, wanted.eef, held_pose, space, rng)
            tried.append((candidate, fitted))
            if fitted.problem is None and fitted.room_m >= ROOM_M:
                return tried[-1]
        playable = [one for one in tried if one[1].problem is None]
        return max(playable, key=lambda one: one[1].room_m, default=tried[0])

    def _levels(self, subtask: Any, near: Tensor, bridge_steps: int, tries: int) -> Tensor:
        level: float = subtask.action_noise
        chosen = self._cfg.noise
        if chosen.kind == "task":
            levels = torch.full((len(near),), level, dtype=torch.float64)
            levels[:bridge_steps] = level if subtask.apply_noise_during_interpolation else 0.0
            return levels
        level = level if chosen.away is None else chosen.away
        levels = noise.shaped(near, level, tries, chosen)
        on_bridge = torch.full((bridge_steps,), min(chosen.on_bridge, level), dtype=torch.float64)
        on_bridge[near[:bridge_steps]] = min(chosen.near_contact, level)
        levels[:bridge_steps] = on_bridge
        return levels
