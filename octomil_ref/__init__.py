"""The reference server of the Octomil Cloud Inference API: five endpoints in front of a language model's server.

Read it in the order in which a request meets it: `app.py` (the whole API on one screen), `auth.py` and its like (what every
request passes), `resources.py` (one class per endpoint), `payloads.py` and `parameters.py` (what clients may send),
`fallback.py` (which backend answers), `backends/` (one dialect each), `event_stream.py` and `batch.py` (answers that are
written while they become ready), `errors.py` (every way to fail), `settings.py` (everything configurable). `page/` makes the
page at `/` and is no part of the API.
"""

__version__ = "0.1.0"
