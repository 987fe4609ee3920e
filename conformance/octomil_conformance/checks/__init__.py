"""Levels 1 and 2, one file a profile or a section that several share; level 0 comes in through test_wire.py."""
