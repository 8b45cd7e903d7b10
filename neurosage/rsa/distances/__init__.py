"""Distances made by ourselves, for every backend: what they need and how they are told apart."""
