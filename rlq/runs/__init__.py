"""Runs: from an experiment file to a trained, evaluated and recorded folder, and back."""
