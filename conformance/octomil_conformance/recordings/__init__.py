"""Answers that were written down - canned ones of somebody's tests, files of curl, a browser's HAR, a run of ours - judged like live ones.

`reader.py` goes through what somebody names: `answer_file.py` (with `http_file.py`) and `har.py` read a file, `endpoints.py` says whose
answer it is, `manifest.py` what it does not say itself. `recording.py` is what they make, `judge.py` gives the verdicts.
`recorder.py` writes what the others read.
"""
