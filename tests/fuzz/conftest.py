"""How hard the fuzz tests try: always the same examples, and few; with `--hypothesis-profile=long` others each time, and many."""

from hypothesis import HealthCheck, settings

# How fast a machine is decides nothing here.
COMMON = {"deadline": None, "suppress_health_check": list(HealthCheck)}

settings.register_profile("short", derandomize=True, max_examples=80, **COMMON)
settings.register_profile("long", max_examples=2000, print_blob=True, **COMMON)
settings.load_profile("short")
