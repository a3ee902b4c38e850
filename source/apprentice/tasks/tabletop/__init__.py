"""What table-top tasks with one Franka Panda share: a new one is its objects, subtasks, variants and operator."""
