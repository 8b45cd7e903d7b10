"""The images shown in the sessions of the teacher ``macaque-v4``; see ``card.toml``."""
