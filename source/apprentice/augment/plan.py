"""Plans: the targets that play one source segment for one end effector in the present scene."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import bridge, noise
from .cfg import AugmentCfg
from .lessons import NO_LESSONS, Lessons
from .recovery import pushes
from .segment import Boundaries, draw_boundaries, nominal_boundaries
from .select import Records, Starts, by_strategy, choose
from .source import SourceDemo
from .transform import displacement, grasp_correction, held_object, hold_correction


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
    last_target: Tensor
    """Where the plan ends, without noise. Shape (4, 4)."""
    needs_signal_at_end: bool
    """Whether the subtask's signal must be true when the plan ends, or just have risen during it: what it did in the
    source demo."""
    moved: Tensor
    """Rigid motion from the source scene to the present one. Shape (4, 4)."""
    meet_at: int | None = None
    """Step from which on it is played in step with the plan of another end effector; it waits for that one there."""


@dataclass(frozen=True)
class Shared:
    """What the plans of end effectors that do something together have in common."""

    demo: int
    """Index of the source demo."""
    moved: Tensor
    """Rigid motion from the source scene to the present one. Shape (4, 4)."""
    carried: str | None
    """Object that all of them hold."""


@dataclass(frozen=True)
class Scene:
    """What a plan depends on: where things are in one environment. float64."""

    eef: Mapping[str, Tensor]
    """Pose per end effector. Shape (4, 4)."""
    objects: Mapping[str, Tensor]
    """Pose per object. Shape (4, 4)."""


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

        Raises:
            UserError: If no demo can be cut into the subtasks.
        """
        usable, self.nominal = nominal_boundaries(demos, subtasks, eef)
        self.eef = eef
        self.subtasks = subtasks
        self.demos = [demos[index] for index in usable]
        self._starts, self._records = Starts(self.demos, eef), Records(eef, [demo.name for demo in self.demos])
        self._lengths = np.array([demo.length for demo in self.demos])
        self.symmetry = symmetry if cfg.use_symmetry else {}
        self._speed_m, self._turn_rad = cfg.bridge.speed_m_s / control_hz, cfg.bridge.turn_rad_s / control_hz
        self._from_last_target = from_last_target
        self._cfg = cfg

    @property
    def max_steps(self) -> int:
        """No plan is longer."""
        longest_bridge = max(
            bridge.MAX_STEPS, *(part.num_interpolation_steps + part.num_fixed_steps for part in self.subtasks)
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
        subtask, eef = self.subtasks[index], scene.eef[self.eef]
        about: str | None = subtask.object_ref
        rows = boundaries[:, index]
        if shared is not None:
            keep_demo = shared.demo
        chosen, region = self.choose(
            index, scene, boundaries, failed=failed, keep_demo=keep_demo, rng=rng, lessons=lessons
        )
        demo, (start, end) = self.demos[chosen], (int(step) for step in rows[chosen])
        targets, gripper = demo.target[self.eef][start:end], demo.gripper[self.eef][start:end]
        moved = torch.eye(4, dtype=targets.dtype)
        if shared is not None:
            moved = shared.moved
        elif about is not None:
            order = self.symmetry.get(about, 1)
            moved = displacement(demo.objects[about][start], scene.objects[about], targets[0], eef, order)
        targets = moved @ targets
        carried = None if shared is None else shared.carried
        if self._cfg.keep_grasp and carried is not None:
            targets = targets @ hold_correction(
                demo.eef[self.eef][start], demo.objects[carried][start], eef, scene.objects[carried]
            )
        elif self._cfg.keep_grasp:
            held = held_object(
                demo.eef[self.eef][start:end], {name: p[start:end] for name, p in demo.objects.items()}, about
            )
            if held is not None:
                targets = targets @ grasp_correction(
                    demo.eef[self.eef][start], demo.objects[held][start], eef, scene.objects[held]
                )
        way = self._bridge(subtask, eef, targets[0], last_target)
        quiet = self._levels(subtask, gripper, len(way), len(failed))
        path = torch.cat((way, targets))
        last = index == len(self.subtasks) - 1
        if last:
            # the last target is held while success is awaited
            path, quiet = torch.cat((path, path[-1:])), torch.cat((quiet, torch.zeros(1, dtype=quiet.dtype)))
            gripper = torch.cat((gripper, gripper[-1:]))
        signal = subtask.subtask_term_signal
        gripper = torch.cat((gripper[:1].expand(len(way), -1), gripper))
        offsets = pushes(
            ~noise.near_contact(gripper, self._cfg.noise),
            len(way),
            self._cfg.noise.per_retry ** len(failed),
            rng,
            self._cfg.recovery,
        )
        return Plan(
            targets=noise.perturb(path, quiet, offsets, rng).to(torch.float32),
            labels=path.to(torch.float32),
            gripper=gripper,
            demo=chosen,
            region=region,
            start=start,
            end=end,
            bridge_steps=len(way),
            last_target=path[-1],
            needs_signal_at_end=not last and bool(demo.signals[signal][min(end, demo.length - 1)]),
            moved=moved,
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
        subtask, rows, eef = self.subtasks[index], boundaries[:, index], scene.eef[self.eef]
        about: str | None = subtask.object_ref
        order = self.symmetry.get(about, 1) if about is not None else 1
        present = None if about is None else scene.objects[about]
        distances = self._starts.distances(rows[:, 0], about, eef, present, order)
        region = self._starts.region(distances)
        if keep_demo is not None:
            return keep_demo, region
        if self._cfg.selection == "nearest":
            return choose(distances, self._records.of(index, region, lessons), failed, rng), region
        return self._by_strategy(subtask, scene, rows, rng), region

    def _by_strategy(self, subtask: Any, scene: Scene, rows: np.ndarray, rng: np.random.Generator) -> int:
        about: str | None = subtask.object_ref
        present = None if about is None else scene.objects[about]
        name, kwargs = self._cfg.selection, {}
        if name == "task":
            name, kwargs = subtask.selection_strategy, subtask.selection_strategy_kwargs or {}
        return by_strategy(name, kwargs, self.demos, rows, self.eef, about, scene.eef[self.eef], present, rng)

    def _bridge(self, subtask: Any, eef: Tensor, first: Tensor, last_target: Tensor | None) -> Tensor:
        if self._cfg.bridge.kind == "paced":
            return bridge.paced(eef, first, self._speed_m, self._turn_rad)
        start = last_target if last_target is not None and self._from_last_target else eef
        return bridge.fixed(start, first, subtask.num_interpolation_steps, subtask.num_fixed_steps)

    def _levels(self, subtask: Any, gripper: Tensor, bridge_steps: int, tries: int) -> Tensor:
        level: float = subtask.action_noise
        if self._cfg.noise.kind == "task":
            on_bridge = level if subtask.apply_noise_during_interpolation else 0.0
            on_segment = torch.full((len(gripper),), level, dtype=torch.float64)
        else:
            level = level if self._cfg.noise.away is None else self._cfg.noise.away
            on_bridge = min(self._cfg.noise.on_bridge, level)
            on_segment = noise.shaped(gripper, level, tries, self._cfg.noise)
        return torch.cat((torch.full((bridge_steps,), on_bridge, dtype=torch.float64), on_segment))
