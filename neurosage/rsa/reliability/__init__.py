"""How well repeated measurement agrees: of neuroids, and of RDMs."""
