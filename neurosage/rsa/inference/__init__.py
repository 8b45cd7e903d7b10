"""What a similarity is worth: intervals, tests, and layers chosen fairly."""
