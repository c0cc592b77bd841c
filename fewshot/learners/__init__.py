"""Learners: each learns from a few examples in its own way."""
