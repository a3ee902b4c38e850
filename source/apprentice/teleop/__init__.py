"""From what an operator does to what the robot is told: sources of frames, clutch, checks, and retargeting to actions."""
