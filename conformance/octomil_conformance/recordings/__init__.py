"""Recorded answers - canned ones of tests, files of curl, a browser's HAR, a run of `record` - judged like live ones.

`reader.py` goes through the given paths: `answer_file.py` (with `http_file.py`) and `har.py` read a file, `files.py` finds its endpoint,
`manifest.py` has what the file does not say itself. `recording.py` is what they make, `judge.py` gives the verdicts, and
`consequences.py` finds which failures follow from another.
`recorder.py` writes what the others read.
"""
