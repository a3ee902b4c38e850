"""What Apprentice adds to Robomimic's algorithms. Importing `plugins` registers it."""
