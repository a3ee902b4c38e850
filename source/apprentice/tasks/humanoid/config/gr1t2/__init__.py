"""Tasks for the Fourier GR1T2 with six-motor hands."""

from apprentice.tasks.humanoid.registration import register_for

register_for("GR1T2", __name__)
