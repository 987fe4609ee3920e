"""Answers to test the reader of a client with, good and bad, and what it should make of each. They have the same bytes every time.

`entry.py` says what an entry is. `derived.py` lets the mutants and variants answer, `streams.py` and `answers.py` have what none of
them answers. `export.py` writes everything as plain files and one manifest. Nothing here needs more than the standard library.
"""
