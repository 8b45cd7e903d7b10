"""What similarity the data allow, and what that makes of a similarity measured."""
