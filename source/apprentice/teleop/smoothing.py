"""Takes the tremor out of tracked hands without making them lag: the 1-euro filter, for positions and rotations.

A low-pass whose cutoff rises with speed: steady when the hand is, quick when it moves. Casiez, Roussel and Vogel,
"1 euro filter: a simple speed-based low-pass filter for noisy input in interactive systems", CHI 2012.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from apprentice.teleop.frame import Pose


@dataclass(kw_only=True, frozen=True)
class SmoothingCfg:
    cutoff_hz: float = 1.5
    """Cutoff of a hand at rest. Lower is steadier, and slower to begin."""
    rise_hz_s_m: float = 20.0
    """Cutoff added per speed (Hz per m/s)."""
    rise_hz_s_rad: float = 4.0
    """Cutoff added per turning speed (Hz per rad/s)."""
    speed_cutoff_hz: float = 2.0
    """Cutoff for the speeds themselves."""


class PoseSmoothing:
    """Filters one hand's poses, one per control step."""

    def __init__(self, cfg: SmoothingCfg, dt_s: float) -> None:
        """Args:
        cfg: How strongly.
        dt_s: Time between poses.
        """
        self._cfg, self._dt = cfg, dt_s
        self._pose: Pose | None = None
        self._raw: Pose = np.eye(4)
        self._velocity, self._turning = np.zeros(3), np.zeros(3)

    def reset(self) -> None:
        """Begin anew with the next pose, which comes out as it went in."""
        self._pose = None

    def update(self, pose: Pose) -> Pose:
        """The next pose, smoothed. Shape (4, 4)."""
        if self._pose is None:
            self._pose, self._velocity, self._turning = pose.copy(), np.zeros(3), np.zeros(3)
        else:
            cfg = self._cfg
            follow = self._share(cfg.speed_cutoff_hz)
            self._velocity += follow * ((pose[:3, 3] - self._raw[:3, 3]) / self._dt - self._velocity)
            self._turning += follow * (_rotvec(self._raw, pose) / self._dt - self._turning)
            smooth = self._pose.copy()
            share = self._share(cfg.cutoff_hz + cfg.rise_hz_s_m * float(np.linalg.norm(self._velocity)))
            smooth[:3, 3] += share * (pose[:3, 3] - smooth[:3, 3])
            share = self._share(cfg.cutoff_hz + cfg.rise_hz_s_rad * float(np.linalg.norm(self._turning)))
            smooth[:3, :3] = Rotation.from_rotvec(share * _rotvec(self._pose, pose)).as_matrix() @ smooth[:3, :3]
            self._pose = smooth
        self._raw = pose.copy()
        return self._pose.copy()

    def _share(self, cutoff_hz: float) -> float:
        """How much of the difference a low-pass takes over in one step."""
        return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff_hz * self._dt))


def _rotvec(start: Pose, end: Pose) -> NDArray[np.float64]:
    """Turn from one pose to another, as a rotation vector in their common frame. Shape (3,)."""
    return Rotation.from_matrix(end[:3, :3] @ start[:3, :3].T).as_rotvec()
