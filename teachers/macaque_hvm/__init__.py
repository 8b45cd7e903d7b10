"""Macaque V4 and IT, Majaj & Hong et al. (2015); everything is in ``card.toml``."""
