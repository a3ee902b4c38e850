"""Tasks for the Unitree G1 with Dex3 hands."""

from apprentice.tasks.humanoid.registration import register_for

register_for("G1", __name__, walks=True)
