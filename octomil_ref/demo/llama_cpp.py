"""llama.cpp's own HTTP server as a process: `python -m octomil_ref.demo.llama_cpp MODEL.gguf --port N --alias NAME`.

It comes with `xllamacpp` (the extra `demo`) and speaks the OpenAI dialect under `/v1`: chat and embeddings. It ends on
SIGTERM, on Ctrl-C, and when its parent process is gone.
"""

import argparse
import os
import signal
import threading

import xllamacpp

CONTEXT_TOKENS = 4096  # all prompts that are processed at once share these

PARALLEL = 2


def main() -> None:
    parser = argparse.ArgumentParser("octomil_ref.demo.llama_cpp")
    parser.add_argument("model", help="a GGUF file")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--alias", required=True, help="the model's name")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()

    parent = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    # Returns once the model is loaded and the port answers.
    server = xllamacpp.Server(_parameters(arguments))
    print(f"listening on {server.listening_address}", flush=True)
    while os.getppid() == parent and not stop.wait(0.5):
        pass
    os._exit(0)  # a regular exit would wait for clients that keep their connections


def _parameters(arguments: argparse.Namespace) -> xllamacpp.CommonParams:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = arguments.model
    parameters.model_alias = {arguments.alias}
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = arguments.port
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = PARALLEL
    parameters.cpuparams.n_threads = arguments.threads
    parameters.cpuparams_batch.n_threads = arguments.threads
    parameters.offline = True
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return parameters


if __name__ == "__main__":
    main()
