"""Procedural pedestrians: people, outfits, poses and cameras, drawn and written as data sets with their side files."""
