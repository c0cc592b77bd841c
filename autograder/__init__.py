"""Grading, and what the instructor makes from the solutions."""
