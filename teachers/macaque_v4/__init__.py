"""Macaque V4, twelve sessions; everything is in ``card.toml``."""
