"""From what an operator does to what the robot is told: sources of frames, checks, clutch, and retargeting."""
