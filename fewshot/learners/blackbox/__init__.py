"""Learners that read examples one after the other and keep what they need in a state."""
