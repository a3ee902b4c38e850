"""Makes a condition true: wraps the policy, changes the physics, and says what is to happen during rollouts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from apprentice.evaluate.contracts import Intervention, Laboratory, Policy
from apprentice.evaluate.robustness.aftermath import Region
from apprentice.evaluate.robustness.cfg import Condition
from apprentice.evaluate.robustness.mishaps import Mishaps
from apprentice.evaluate.robustness.perception import ErringSight, LateHands
from apprentice.evaluate.robustness.pushes import Pushes
from apprentice.sim.physics import Physics


@contextlib.contextmanager
def applied(
    condition: Condition, policy: Policy, session: Laboratory, *, region: Region | None = None
) -> Iterator[tuple[Policy, list[Intervention]]]:
    """Change everything about a condition that can be changed in an open simulator, and change it back at the end.

    Args:
        condition: What is to be different. Its backend, variant and control rate are those of `session`, and its looks
            those of the cameras through which the policy looks.
        policy: What plays.
        session: Where.
        region: Where objects can be reached, if that is known.

    Yields:
        The policy that sees and acts under the condition, and the interventions.

    Raises:
        UserError: If the condition does not fit the task or the backend.
    """
    if condition.position_noise_m or condition.rotation_noise_rad:
        policy = ErringSight(
            policy,
            session,
            position_m=condition.position_noise_m,
            rotation_rad=condition.rotation_noise_rad,
            constant=condition.constant_noise,
        )
    if condition.delay_steps:
        policy = LateHands(policy, session, steps=condition.delay_steps)
    interventions: list[Intervention] = []
    if condition.push_m_s:
        interventions.append(Pushes(session, speed_m_s=condition.push_m_s))
    if condition.mishap:
        interventions.append(Mishaps(session, condition.mishap, region=region))
    everywhere = range(session.num_envs)
    masses = dict.fromkeys(session.movable_objects, condition.mass) if condition.mass != 1 else {}
    physics = Physics(mass=masses, friction=condition.friction)
    try:
        if physics != Physics():
            session.set_physics(everywhere, [physics] * session.num_envs)
        yield policy, interventions
    finally:
        if physics != Physics():
            session.set_physics(everywhere, [Physics()] * session.num_envs)


def why_not(
    condition: Condition, *, backend: str, variant: str | None, variants: tuple[str, ...], observes_images: bool
) -> str | None:
    """Why a condition cannot be evaluated, or need not be, in words; None if it is to be.

    Args:
        condition: The condition.
        backend: What steps the physics nominally.
        variant: The nominal variant; None is the task's first.
        variants: Difficulty variants of the task.
        observes_images: Whether the policy does.
    """
    from apprentice.sim.backends import why_unavailable

    if condition.looks is not None and not observes_images:
        return "the policy observes no images"
    if condition.variant is not None and condition.variant not in variants:
        return f"the task has no variant {condition.variant}"
    if condition.backend == backend or (condition.variant and condition.variant == (variant or variants[0])):
        return "it is the nominal one"
    backend = condition.backend or backend
    if condition.friction != 1 and backend not in ("native", "newton"):
        return f"friction cannot be changed on {backend}"
    return why_unavailable(backend)
