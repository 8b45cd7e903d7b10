"""Recordings → pattern matrices: averaged, ordered, normalised, read by blocks."""
