"""One step of each kind of policy, for any environments at once, with everything it remembers passed in and out.

Robomimic keeps one step counter and one hidden state for the whole batch, so that no environment can start anew alone.
Here every environment has its own age and its own row of memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from apprentice.errors import UserError
from apprentice.learn.play.noise import Noise

GOAL = "goal/"
"""Prefix of the keys of a goal among observations."""
Memory = dict[str, Tensor]
"""One row for each environment."""
Step = Callable[[Mapping[str, Tensor], Memory, Tensor, Noise], tuple[Tensor, Memory]]
"""(observations, memory or {}, steps since reset of shape (N,), noise) to (actions, memory)."""
_Goal = Mapping[str, Tensor] | None
_GoalStep = Callable[[Mapping[str, Tensor], _Goal, Memory, Tensor, Noise], tuple[Tensor, Memory]]
"""The same with observations to reach, or None for policies that have no goals."""


def noise_size(algo: Any) -> int:
    """Normal numbers that a step of this algorithm may ask for, for each environment."""
    from apprentice.learn.algorithms.chunk_policy import ChunkPolicy

    return algo.network.noise_size if isinstance(algo, ChunkPolicy) else int(algo.ac_dim)


def looks(algo: Any, age: Tensor) -> Tensor:
    """In which environments a step asks the network, and so looks at images. Shape (N,), bool."""
    from apprentice.learn.algorithms.chunk_policy import ChunkPolicy

    return algo.asks(age) if isinstance(algo, ChunkPolicy) else torch.ones_like(age, dtype=torch.bool)


def takes_metres(algo: Any) -> bool:
    """Whether depth is given to this algorithm as measured. Robomimic clips it to 1."""
    from apprentice.learn.algorithms.chunk_policy import ChunkPolicy

    return isinstance(algo, ChunkPolicy)


def step_function(algo: Any) -> Step:
    """How this Robomimic algorithm acts.

    Raises:
        UserError: If it does not act, or what it draws in one environment depends on how many there are.
    """
    from apprentice.learn.algorithms.chunk_policy import ChunkPolicy

    if isinstance(algo, ChunkPolicy):
        return algo.step
    act = _acts(algo)

    def step(obs: Mapping[str, Tensor], memory: Memory, age: Tensor, noise: Noise) -> tuple[Tensor, Memory]:
        goal = {key.removeprefix(GOAL): value for key, value in obs.items() if key.startswith(GOAL)}
        seen = {key: value for key, value in obs.items() if not key.startswith(GOAL)}
        return act(seen, goal or None, memory, age, noise)

    return step


def _acts(algo: Any) -> _GoalStep:
    from robomimic.algo import BC, BC_GMM, BC_RNN, BC_RNN_GMM, BC_VAE, GL, HBC, TD3_BC, BC_Gaussian
    from robomimic.algo.bc import BC_Transformer, BC_Transformer_GMM
    from robomimic.models.vae_nets import CategoricalPrior

    from apprentice.learn.algorithms.anatomy import networks

    if isinstance(algo, GL):
        raise UserError("Expected a policy, found a planner (gl), which predicts where to go and does not act.")
    for module in networks(algo).modules():
        if isinstance(module, CategoricalPrior) and not module.learnable and module.latent_dim == 1:
            raise UserError(
                "Expected a prior whose samples are random, found a fixed categorical one with latent_dim 1, for which"
                " Robomimic counts through the batch; train with prior.learn or a larger latent_dim."
            )
    if isinstance(algo, HBC):  # and IRIS, which is one
        return _hierarchical(algo)
    if isinstance(algo, BC_RNN):
        step = _recurrent(algo, stochastic=isinstance(algo, BC_RNN_GMM))
    elif isinstance(algo, BC_Transformer):
        step = _stacked(algo, stochastic=isinstance(algo, BC_Transformer_GMM))
    elif isinstance(algo, BC_GMM | BC_Gaussian):
        step = _memoryless(algo)
    else:
        return _whole(algo, draws=isinstance(algo, BC_VAE) or not isinstance(algo, BC | TD3_BC))
    if "action_range" not in algo.nets:
        return step
    action_range: Any = algo.nets["action_range"]

    def unscaled(
        obs: Mapping[str, Tensor], goal: _Goal, memory: Memory, age: Tensor, noise: Noise
    ) -> tuple[Tensor, Memory]:
        actions, memory = step(obs, goal, memory, age, noise)
        return action_range.unscale(actions), memory

    return unscaled


def _memoryless(algo: Any) -> _GoalStep:
    net = algo.nets["policy"]
    return lambda obs, goal, memory, age, noise: (_draw(net.forward_train(obs, goal), noise()), {})


def _whole(algo: Any, draws: bool) -> _GoalStep:
    """Whatever `get_action` does, which may draw random numbers but remembers nothing."""

    def step(
        obs: Mapping[str, Tensor], goal: _Goal, memory: Memory, age: Tensor, noise: Noise
    ) -> tuple[Tensor, Memory]:
        if not draws:
            return algo.get_action(obs, goal_dict=goal), {}
        with noise.drawing():
            return algo.get_action(obs, goal_dict=goal), {}

    return step


def _hierarchical(algo: Any) -> _GoalStep:
    """Each environment keeps the subgoal that its planner gave it, for `subgoal_update_interval` of its own steps."""
    actor, interval = _acts(algo.actor), algo.algo_config.subgoal_update_interval

    def step(
        obs: Mapping[str, Tensor], goal: _Goal, memory: Memory, age: Tensor, noise: Noise
    ) -> tuple[Tensor, Memory]:
        due = (age % interval == 0).nonzero().flatten()
        subgoal = {key.removeprefix("subgoal/"): value for key, value in memory.items() if key.startswith("subgoal/")}
        if len(due):
            with noise.of(due).drawing():
                planned = algo.planner.get_subgoal_predictions(
                    obs_dict={key: value[due] for key, value in obs.items()},
                    goal_dict=goal and {key: value[due] for key, value in goal.items()},
                )
            if not subgoal:
                subgoal = {key: value.new_zeros(len(age), *value.shape[1:]) for key, value in planned.items()}
            subgoal = {key: value.index_copy(0, due, planned[key]) for key, value in subgoal.items()}
        own = {key.removeprefix("actor/"): value for key, value in memory.items() if key.startswith("actor/")}
        actions, own = actor(obs, subgoal, own, age, noise)
        kept = {"subgoal/" + key: value for key, value in subgoal.items()}
        return actions, kept | {"actor/" + key: value for key, value in own.items()}

    return step


def _recurrent(algo: Any, stochastic: bool) -> _GoalStep:
    """The hidden state starts from zero every `horizon` steps of an environment, the length of the training windows."""
    net, horizon = algo.nets["policy"], algo.algo_config.rnn.horizon
    open_loop = algo.algo_config.rnn.get("open_loop", False)

    def step(
        obs: Mapping[str, Tensor], goal: _Goal, memory: Memory, age: Tensor, noise: Noise
    ) -> tuple[Tensor, Memory]:
        begins = age % horizon == 0
        if open_loop:
            obs = {
                key: torch.where(_like(begins, value), value, memory["obs/" + key]) if memory else value
                for key, value in obs.items()
            }
        zero = net.get_rnn_init_state(batch_size=len(age), device=age.device)
        names = ("h", "c") if isinstance(zero, tuple) else ("h",)
        zeros = zero if isinstance(zero, tuple) else (zero,)
        # memory has the environment first, torch's recurrent nets have it second
        hidden = tuple(
            torch.where(begins[None, :, None], start, memory[name].transpose(0, 1) if memory else start).contiguous()
            for name, start in zip(names, zeros, strict=True)
        )
        state = hidden if len(names) > 1 else next(iter(hidden))
        if stochastic:
            distribution, state = net.forward_train_step(obs, goal, rnn_state=state)
            actions = _draw(distribution, noise())
        else:
            actions, state = net.forward_step(obs, goal, rnn_state=state)
        states = state if isinstance(state, tuple) else (state,)
        kept = {name: value.transpose(0, 1) for name, value in zip(names, states, strict=True)}
        return actions, kept | ({"obs/" + key: value for key, value in obs.items()} if open_loop else {})

    return step


def _stacked(algo: Any, stochastic: bool) -> _GoalStep:
    """The last `context_length` observations of each environment; at its first step they all are the first one."""
    net, frames = algo.nets["policy"], algo.context_length

    def step(
        obs: Mapping[str, Tensor], goal: _Goal, memory: Memory, age: Tensor, noise: Noise
    ) -> tuple[Tensor, Memory]:
        stacks: Memory = {}
        for key, value in obs.items():
            now = value[:, None]
            past = memory[key] if memory else now.expand(-1, frames, *value.shape[1:])
            stacks[key] = torch.where(_like(age == 0, past), now, torch.cat([past, now], 1)[:, -frames:])
        if stochastic:
            actions = _draw(_last_step(net.forward_train(stacks, goal_dict=goal)), noise())
        else:
            actions = net(stacks, goal_dict=goal)[:, -1]
        return actions, stacks

    return step


def _last_step(distribution: Any) -> Any:
    """The action distribution of the last frame of a sequence."""
    from torch import distributions as D

    parts = distribution.component_distribution.base_dist
    return D.MixtureSameFamily(
        D.Categorical(logits=distribution.mixture_distribution.logits[:, -1]),
        D.Independent(D.Normal(parts.loc[:, -1], parts.scale[:, -1]), 1),
    )


def _draw(distribution: Any, noise: Tensor) -> Tensor:
    """Sample with given noise, so that what one environment draws does not depend on who else is in the batch.

    Args:
        distribution: A mixture of normal distributions, or one, of shape (N, A).
        noise: Uniform in [0, 1), which chooses the component, then standard normal. Shape (N, 1 + A).

    Returns:
        Shape (N, A).
    """
    normal = noise[:, 1:]
    if not hasattr(distribution, "mixture_distribution"):
        base = distribution.base_dist
        return base.loc + base.scale * normal
    parts, weights = distribution.component_distribution.base_dist, distribution.mixture_distribution.probs
    chosen = (weights.cumsum(-1) < noise[:, :1]).sum(-1).clamp(max=weights.shape[-1] - 1)
    rows = torch.arange(len(noise), device=noise.device)
    return parts.loc[rows, chosen] + parts.scale[rows, chosen] * normal


def _like(rows: Tensor, value: Tensor) -> Tensor:
    """A boolean per environment, shaped to broadcast with that environment's values."""
    return rows.view(-1, *[1] * (value.dim() - 1))
