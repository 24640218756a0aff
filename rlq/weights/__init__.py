"""Weights that exist: evaluate, embed, convert and register them."""
