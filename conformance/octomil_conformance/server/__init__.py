"""A server of the API for tests of clients: conformant, or with one named bug. It needs only the standard library.

    app.py          the five endpoints: a function from a request to a response
    gateway.py      which upstream answers; backends.py speaks the dialect of each, faults.py spoils it
    layers.py       requests, responses, and layers around a server
    mutants/        one function for each bug; variants/ one function for each freedom that the spec leaves
    on.py           the decorators that make servers of these functions; subjects.py says what they violate
    scenarios.py    what happens upstream, chosen by the model's name
    served.py       all of it put together; http_server.py gives it a port
    cli.py          `octomil-conformance serve`

It shares no code with the reference server, so it also shows that the checks demand what the spec says, not what the reference happens to do.
"""
