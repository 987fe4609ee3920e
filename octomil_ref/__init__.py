"""The reference server of the Octomil Cloud Inference API: five endpoints in front of a language model's server.

In the order in which a streamed request passes them:

    app.py                      the whole API on one screen: begin here
    middleware.py               request id, access log, Host, CORS, token; how errors are rendered
    resources.py                one class per endpoint
    body.py                     a request's body: bounded bytes, then JSON
    json_codec.py               JSON in and out
    payloads.py                 what clients may send
    fallback.py                 which backend answers, and how many requests at once
    backends/ollama.py, backends/openai.py
                                one dialect each
    backends/http.py            requests to an upstream, its answers as lines, what failures mean
    backends/wire.py            one connection to an upstream: deadlines, what a read brings
    backends/framing.py         HTTP/1.1 messages: heads, and where a body ends
    backends/reading.py         an upstream's whole and streamed answers as values
    backends/__init__.py        what all backends offer, and the values that they return
    streaming.py                server-sent events

Used on the way:

    backends/adapting.py        asks an upstream, and again without what it refuses
    keys.py                     the API tokens that clients may use, and the files that hold secrets
    clients.py                  notices clients that leave while they wait
    records.py                  records of one request, and of one attempt at a backend
    logs.py                     the log lines made from these records, and their format
    metrics.py                  passes the records to the log, and to Prometheus if metrics are on
    clock.py                    stopwatch, deadlines, and results that callers share

When something fails:

    backends/refusals.py        what an upstream's error means
    errors.py                   every way to fail, drawn as a tree

Beside the stream:

    batch.py                    many completions, written as they become ready
    health.py                   which backends can be asked right now
    settings.py                 everything configurable
    settings_report.py          what `octomil-ref config` prints, and what looks like a mistake
    setting_values.py           how the text of a variable becomes a value
    page/                       the page at `/`
    sdk_endpoints/              what SDKs and OpenAI clients call besides the five endpoints

Around the API:

    cli.py, __main__.py         the command
    gunicorn_settings.py        for `gunicorn -c python:octomil_ref.gunicorn_settings`
    listening.py                the sockets that waitress listens on
    waitress_server.py          waitress in this process, which finishes requests on SIGTERM
    demo/                       the server with a small model inside

A streamed answer is wrapped on its way out: `http.UpstreamResponse` gives lines, `reading.StreamedAnswer` pieces,
`fallback.CommittedStream` pieces after which there is no fallback, `streaming.EventStream` the bytes for the client, and the
middleware notices when they end.

Imports point one way, and a module that calls itself pure uses no files, network, environment or clock;
`tests/ref/test_layering.py` checks this. "Spec" means `conformance/octomil_conformance/spec/cloud-inference.md`.
"""

__version__ = "0.1.0"
