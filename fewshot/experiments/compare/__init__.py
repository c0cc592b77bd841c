"""Learners side by side: the same blocks, time and test tasks, and one table."""
