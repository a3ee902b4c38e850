"""How the physics of one environment differs from what its task says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Physics:
    """Factors on what the task says."""

    mass: Mapping[str, float] = field(default_factory=dict[str, float])
    """By object, on its mass and inertia. Objects that are not named are as the task has them."""
    friction: float = 1.0
    """On the sliding friction of all surfaces of an environment. The ground that all environments share keeps its own;
    of two surfaces that touch, MuJoCo takes the larger value."""

    def fingerprint(self, unchanged: str) -> str:
        """The fingerprint of an environment with this physics.

        Args:
            unchanged: That of the task's own physics.
        """
        if self == Physics():
            return unchanged
        content = json.dumps([unchanged, asdict(self)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]
