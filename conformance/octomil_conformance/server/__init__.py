"""A server of the API to test clients with: conformant, or wrong in one way that has a name. Standard library only.

    app.py          the five endpoints: a function of a request, to an answer
    gateway.py      which upstream answers; backends.py speaks with one of them, in its dialect
    faults.py       bugs that sit too deep for a layer
    layers.py       layers around a server
    mutants/        one layer or fault for each bug; variants/ one layer for each freedom that the spec leaves
    scenarios.py    what is answered: by model, or the same to all
    served.py       all of it put together; http_server.py gives it a port, cors.py lets web pages in
    cli.py          `octomil-conformance serve`

Written apart from the reference, it also shows that the checks hold servers to the spec and not to the reference's habits.
"""
