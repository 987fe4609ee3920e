"""The reference server of the Octomil Cloud Inference API: five endpoints in front of a language model's server.

In the order in which a request meets it:

    app.py                                          the whole API on one screen: begin here
    request_id.py, request_log.py, host.py, cors.py, auth.py
                                                    what every request passes
    resources.py                                    one class per endpoint
    request_body.py, json_text.py                   a body: bounded bytes, then strict JSON
    payloads.py, parameters.py                      what clients may send
    admission.py                                    how many requests may wait for a model at once
    fallback.py                                     which backend answers
    backends/__init__.py                            what all backends look like from outside
    backends/ollama.py, backends/openai.py          one dialect each
    backends/http.py, backends/connections.py       requests to an upstream, and the connections to it
    backends/pieces.py                              a streamed answer, piece by piece
    backends/upstream_json.py                       a whole one, which may be anything
    backends/refusals.py                            what an upstream's failure means
    answers.py                                      what a backend gives back
    event_stream.py, sse.py, batch.py               answers that are written while they become ready
    errors.py, failures.py                          every way to fail, drawn as a tree; how each becomes an answer

    health.py                                       which backends can be asked right now
    settings.py, setting_values.py                  everything configurable
    clock.py, json_codec.py                         deadlines; JSON by orjson where it is installed

Around it, and no part of the API:

    cli.py, __main__.py, output.py                  the command, and what becomes of what it prints
    gunicorn_settings.py                            for `gunicorn -c python:octomil_ref.gunicorn_settings`
    servers/__init__.py                             the manners that gunicorn and waitress lack
    servers/door.py, servers/process.py             what a serving process lets in, and where it runs
    servers/waitress_server.py, servers/waitress_connection.py, servers/waitress_parser.py
    servers/gunicorn_worker.py, servers/gunicorn_connection.py, servers/gunicorn_signals.py, servers/gunicorn_log.py
    demo.py, demo_guide.py, snippets.py, llama_cpp.py
                                                    a small model inside, and lines to paste
    page/                                           the page at `/`

Imports point one way; a module that calls itself pure touches no file, no network, no environment and no clock:
`tests/ref/test_layering.py` keeps it so. The spec that modules speak of is
`conformance/octomil_conformance/spec/cloud-inference.md`.
"""

__version__ = "0.1.0"
