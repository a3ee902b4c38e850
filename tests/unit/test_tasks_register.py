"""Registering our tasks is cheap: Isaac Lab's commands import the package at start."""

import subprocess
import sys

CODE = """
import sys
import apprentice.tasks
import gymnasium
assert {"Apprentice-Stack-Franka", "Apprentice-Insert-Franka"} <= set(gymnasium.registry)
assert not {"torch", "warp", "isaaclab", "isaaclab_tasks"} & set(sys.modules), "registration loaded the simulator"
"""


def test_importing_the_tasks_registers_them_and_loads_no_simulator():
    subprocess.run([sys.executable, "-c", CODE], check=True)
