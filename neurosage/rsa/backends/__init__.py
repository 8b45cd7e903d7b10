"""What computes RDMs and their comparisons; the contract is in base.py."""
