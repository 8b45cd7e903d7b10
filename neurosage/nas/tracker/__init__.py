"""The database of candidates and evaluations: the only truth about a search."""
