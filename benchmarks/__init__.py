"""Figures and endurance runs that anyone can reproduce: `python -m benchmarks`, `python -m benchmarks.soak`."""
