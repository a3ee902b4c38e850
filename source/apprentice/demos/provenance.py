"""Where a demo comes from, in the same words for every command that makes one."""

from __future__ import annotations

import functools
import importlib.metadata
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

_PACKAGES = (
    "isaaclab-apprentice",
    "isaaclab",
    "newton",
    "mujoco",
    "mujoco-warp",
    "warp-lang",
    "ovphysx",
    "torch",
    "robomimic",
    "numpy",
    "h5py",
)
"""What decides how an episode comes out, and how it is stored."""


@functools.cache
def versions() -> dict[str, str]:
    """Versions of this package and those that it stands on, by distribution name; what is not installed is left out."""
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def timestamp() -> str:
    """Now, as ISO 8601 in UTC to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def demo_attrs(
    *, task: str, variant: str | None, backend: str, operator: str, device: str, seed: int | None, **more: Any
) -> dict[str, Any]:
    """Attributes that every demo carries.

    Args:
        task: Task id.
        variant: Difficulty variant, None for a task without any.
        backend: What stepped the physics.
        operator: Whoever drove the robot; "scripted" for an oracle.
        device: Teleoperation device, or "augment" for a generated demo.
        seed: Seed of the episode's initial state, None if unknown.
        more: Further JSON-able attributes: physics_fingerprint, source demos and segments, notes...

    Returns:
        The attributes for `Demo.attrs`, with versions and the time of creation.
    """
    known = {"task": task, "backend": backend, "operator": operator, "device": device}
    optional = {"variant": variant, "seed": seed}
    given = {key: value for key, value in optional.items() if value is not None}
    return known | given | {"versions": dict(versions()), "created": timestamp()} | more


@dataclass(kw_only=True, frozen=True)
class Certificate:
    """What replaying a demo's actions from its initial state led to."""

    backend: str
    """What stepped the physics in the replay."""
    bit_exact: bool
    """Whether every state came out with the very same bits."""
    final_state_error: float
    """Largest distance between a final object position and the recorded one (m)."""
    success: bool
    """Whether the replay succeeded."""
    versions: dict[str, str] = field(default_factory=versions)
    """Versions of the packages that replayed it."""

    def attrs(self) -> dict[str, Any]:
        """The attributes to store with the demo."""
        return {"certificate": asdict(self)}
