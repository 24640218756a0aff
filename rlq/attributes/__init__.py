"""Coarse attributes of pictures: pose clusters and gender."""
