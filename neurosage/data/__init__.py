"""What was measured: assemblies, stimulus sets, teachers, and how they are found."""
