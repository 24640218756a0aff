"""Losses as pure functions, one concept per file; all of them compute in float32, also under autocast."""
