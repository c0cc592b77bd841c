"""Learners that learn how to adapt by gradients: a start, a step, or a whole optimizer."""
