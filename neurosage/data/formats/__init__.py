"""One file a format, each with ``read`` and, where it can, ``write``."""
