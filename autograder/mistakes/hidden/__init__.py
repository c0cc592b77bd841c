"""Mistakes that hidden checks meet, often a line away from the answer: students do not get them."""

from autograder.mistakes.hidden import forward, loss, sampler  # noqa: F401, entries enter the catalogue
