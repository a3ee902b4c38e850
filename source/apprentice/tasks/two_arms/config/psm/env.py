"""Two patient-side manipulators at one table."""

from __future__ import annotations

from apprentice.robots import psm
from apprentice.sim.views import CameraView
from apprentice.tasks.two_arms.env import TwoArmsMimicEnv


class TwoPSMsMimicEnv(TwoArmsMimicEnv):
    """Actions are those of the left instrument and its jaws, and then those of the right."""

    hand = psm.HAND
    camera_views = (
        CameraView(name="front", eye_m=(1.2, -0.5, 0.55), target_m=(0.4, 0.0, 0.2)),
        CameraView(name="table", eye_m=(1.0, 0.0, 0.4), target_m=(0.5, 0.0, 0.06), field_of_view_deg=50.0),
    )
