"""What `apprentice check-task` looks at: each module a side of a task, all in plain words."""
