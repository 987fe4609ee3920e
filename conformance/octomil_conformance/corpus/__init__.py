"""Answers to feed to a client's reader, good and bad, with what it should make of each: the same bytes every time.

`entry.py` says what an entry is, the tables are in the other modules, `export.py` writes them as plain files and one
manifest. Nothing here needs more than the standard library.
"""
