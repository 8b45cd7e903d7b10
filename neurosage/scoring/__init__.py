"""A network against a teacher."""
