"""Hypothesis's profiles: by default a few examples, always the same; with `--hypothesis-profile=long` many, and others each time."""

from hypothesis import HealthCheck, settings

# How fast a machine is decides nothing here.
COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}

settings.register_profile("short", derandomize=True, max_examples=50, **COMMON)
settings.register_profile("long", max_examples=2000, print_blob=True, **COMMON)
settings.load_profile("short")
