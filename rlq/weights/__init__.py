"""Existing weights: evaluate, embed, convert and register them."""
