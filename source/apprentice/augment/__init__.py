"""Augmentation: from a few source demos to many generated ones, in Isaac Lab Mimic's terms.

`sources` reads and cuts source demos, `planning` chooses what to play next, `paths` makes the way, `play` plays it in
all environments at once and tries again what failed, and `explain` says what happened. What lies beside them is the
run: attempts, goals, journal, workers' generators.
"""
