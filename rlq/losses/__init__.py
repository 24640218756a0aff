"""Losses as pure functions, one file per idea; all of them compute in float32, also under autocast."""
