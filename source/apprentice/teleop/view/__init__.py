"""What operators see: the scene in three dimensions and through its cameras, drawn beside the control loop."""
