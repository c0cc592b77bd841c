"""Learners that compare a query with the support set in a learned space."""
