"""The conformance suite of the Octomil Cloud Inference API: one URL in, a verdict per sentence of the spec out.

Read it in this order: `spec/cloud-inference.md` (what is required), `exchange.py` (what was seen), `wire/` (can clients read
it?), `checks/` (does the server behave?), `api.py` (what a check may do), `plugin.py` (which checks run, and when). Without a server:
`recordings/` (answers that were written down) and `corpus/` (answers that were made up). `server/` turns it round: servers that
clients are tested with, and by which the checks are proven. It never imports the server it judges.
"""

__version__ = "0.1.0"
"""Of the suite; the spec has its own."""
