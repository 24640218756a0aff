"""Searches: an Optuna study over settings, on one machine or many, every trial a run."""
