"""The training loop, and what it starts from and leaves behind."""
