"""The loop, checkpoints and optimisers: they take steps and loaders, and know no method."""
