"""What is learned from: demos as tensors, what their actions mean, features, batches."""
