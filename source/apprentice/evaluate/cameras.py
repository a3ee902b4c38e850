"""Gives a simulation the cameras that a policy looks through: images are drawn from the scene's state.

They are drawn as `apprentice render` draws those that policies are trained on, whatever steps the physics.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from apprentice.demos.schema import DEPTH, IMAGE
from apprentice.evaluate.contracts import Observations, Simulation, States, TaskInfo
from apprentice.sim.looks import Looks
from apprentice.sim.looks_cfg import LooksCfg
from apprentice.sim.render import StateRenderer, detail_for
from apprentice.sim.scene_model import scene_model
from apprentice.sim.views import CameraView


class WithCameras:
    """A simulation whose observations hold images too: `<camera>_image` of shape (N, H, W, 3), uint8, and, where asked
    for, `<camera>_depth` of shape (N, H, W, 1), metres.

    Drawing takes longer than stepping. So images follow the state only where someone will look: a policy that acts on a
    chunk of actions looks once a chunk.
    """

    def __init__(
        self,
        simulation: Simulation,
        env: Any,
        views: Sequence[CameraView],
        *,
        size: int,
        looking: Callable[[], torch.Tensor],
        looks: LooksCfg | None = None,
        depth: bool = False,
    ) -> None:
        """Prepare for drawing; `close` frees what that takes.

        Args:
            simulation: What is observed.
            env: Its Isaac Lab environment, of which the scene is taken.
            views: Cameras.
            size: Width and height of images in pixels.
            looking: Tells in which environments the policy's next action depends on images. Shape (N,), bool.
            looks: What looks different in every rollout, drawn from its seed.
            depth: Whether to measure distances too.

        Raises:
            UserError: If images can't be drawn on this machine.
        """
        # images this small are drawn faster by one thread
        os.environ.setdefault("LP_NUM_THREADS", "0")
        self.task, self.variant = simulation.task, simulation.variant
        self.backend, self.num_envs = simulation.backend, simulation.num_envs
        self._simulation, self._looking = simulation, looking
        scene = scene_model(env, views, detail_for(size))
        self._renderer = StateRenderer(scene, views, width=size, height=size, samples=0, depth=depth)
        self._looks = Looks(scene.model, looks) if looks else None
        self._seeds = [0] * simulation.num_envs
        self._images = {
            view.name + IMAGE: torch.zeros(simulation.num_envs, size, size, 3, dtype=torch.uint8) for view in views
        }
        if depth:
            self._images |= {view.name + DEPTH: torch.zeros(simulation.num_envs, size, size, 1) for view in views}

    @property
    def task_info(self) -> TaskInfo:
        return self._simulation.task_info

    def reset(self, env_ids: Sequence[int] | None = None, seeds: Sequence[int] | None = None) -> Observations:
        """Reset these environments, each to the initial state of its seed."""
        obs = self._simulation.reset(env_ids, seeds)
        ids = list(range(self.num_envs)) if env_ids is None else list(env_ids)
        for env_id, seed in zip(ids, seeds or (), strict=seeds is not None):
            self._seeds[env_id] = seed
        return self._seen(obs, ids)

    def set_state(self, state: States, env_ids: Sequence[int]) -> Observations:
        """Put these environments into states."""
        return self._seen(self._simulation.set_state(state, env_ids), env_ids)

    def step(self, actions: torch.Tensor, active: torch.Tensor | None = None) -> Observations:
        """Advance the active environments by one control step."""
        obs = self._simulation.step(actions, active)
        looking = self._looking().cpu()
        return self._seen(obs, (looking if active is None else looking & active.cpu()).nonzero().flatten().tolist())

    def success(self) -> torch.Tensor:
        """Whether the success term is true right now. Shape (N,)."""
        return self._simulation.success()

    def subtask_signals(self) -> Mapping[str, torch.Tensor]:
        """Whether each subtask is complete right now. Shapes (N,)."""
        return self._simulation.subtask_signals()

    def state(self) -> States:
        """The scene's state."""
        return self._simulation.state()

    def close(self) -> None:
        """Free what OpenGL holds."""
        self._renderer.close()

    def _seen(self, obs: Observations, env_ids: Sequence[int]) -> Observations:
        """Draw these environments, and add all images to the observations."""
        if env_ids:
            states = {name: value.cpu().numpy() for name, value in self._simulation.state().items()}
            for env_id in env_ids:
                if self._looks:
                    self._looks.draw(self._seeds[env_id])
                drawn = self._renderer.render({name: value[env_id] for name, value in states.items()})
                for name, image in drawn.items():
                    key = name if name in self._images else name + IMAGE
                    self._images[key][env_id] = torch.from_numpy(image)
        return {**obs, **self._images}
