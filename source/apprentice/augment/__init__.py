"""Augmentation: from a few source demos to many generated ones, in Isaac Lab Mimic's terms."""
