"""The training loop, checkpoints and optimisers. They work with the steps and loaders of any method."""
