"""The images of the teacher ``macaque-hvm``; everything is in ``card.toml``."""
