"""Runs: an experiment file becomes a folder with a trained, evaluated and tracked network, and is run again from it."""
