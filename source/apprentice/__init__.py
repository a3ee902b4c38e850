"""Apprentice: from teleoperation to a policy you can trust, on Isaac Lab.

Importing this package imports neither Isaac Lab nor torch; each room does so when it is used.
"""

__version__ = "0.1.0"
