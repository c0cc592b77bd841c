"""Intervals, against draws whose mean is known."""

import statistics

import pytest
import torch

from fewshot.intervals import half_interval


def test_a_value():
    values = torch.tensor([1.0, 2.0, 4.0, 9.0], dtype=torch.float64)
    normal = statistics.NormalDist().inv_cdf(0.975)
    expected = normal * statistics.stdev(values.tolist()) / 2
    assert half_interval(values).item() == pytest.approx(expected, rel=1e-4)


def test_the_mean_is_inside_95_times_in_100():
    """2,000 means of 400 draws: within 5 sigma, a false alarm in 2 million."""
    draws = torch.randn(400, 2000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    inside = (draws.mean(dim=0).abs() < half_interval(draws)).float().mean().item()
    assert inside == pytest.approx(0.95, abs=5 * (0.95 * 0.05 / 2000) ** 0.5)
