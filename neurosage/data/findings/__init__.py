"""What is wrong with a teacher, or worth knowing: rules, each with a remedy."""
