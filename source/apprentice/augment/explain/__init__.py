"""Says what happened: causes of failed tries, coverage, hopeless tasks, numbers."""
