"""Learners that model what they have not seen: weights of new classes, or more examples."""
