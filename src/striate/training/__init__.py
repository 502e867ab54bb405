"""Training: losses, metrics, optimizers, the loop and what goes with it."""
