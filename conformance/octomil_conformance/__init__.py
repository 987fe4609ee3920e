"""The conformance suite of the Octomil Cloud Inference API: given a URL, it gives a verdict for each requirement of the spec.

Read it in this order: `spec/cloud-inference.md` (what is required), `exchange.py` (what was seen), `wire/` (can clients read
it?), `checks/` (does the server behave?), `api.py` (what a check may do), `target.py` (what all checks share), `expect.py` (how
a check compares), `runner.py` (which checks run, and when), `run.py` (the verdicts), `report/` (how they are shown).
`recordings/` and `corpus/` have answers in files, which are judged without a server. `server/` has servers for tests of clients;
its mutants prove the checks. The suite never imports the server that it judges.
"""

__version__ = "0.1.0"
"""The version of the suite. The spec has a version of its own."""
