"""llama.cpp's own HTTP server as a process, on a free port: `python -m octomil_ref.demo.llama_cpp MODEL.gguf NAME [THREADS]`.

It comes with `xllamacpp` (the extra `demo`) and speaks the OpenAI dialect under `/v1`: chat and embeddings. It ends on
SIGTERM, on Ctrl-C, and when its parent process is gone.
"""

import os
import signal
import sys
import threading

import xllamacpp

CONTEXT_TOKENS = 4096  # all prompts that are processed at once share these

PARALLEL = 2


def main() -> None:
    parent = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # Returns once the model is loaded and the port answers.
    server = xllamacpp.Server(_parameters(*sys.argv[1:]))
    print(f"listening on {server.listening_address}", flush=True)
    while os.getppid() == parent and not stop.wait(0.5):
        pass
    os._exit(0)  # a regular exit would wait for clients that keep their connections


def _parameters(path: str, name: str, threads: str = "") -> xllamacpp.CommonParams:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.model_alias = {name}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = PARALLEL
    number = int(threads or os.cpu_count() or 1)
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = number
    parameters.offline = True
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return parameters


if __name__ == "__main__":
    main()
