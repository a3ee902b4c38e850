"""Robots for Isaac Lab whose models come from Python packages: no cloud, no committed meshes."""
