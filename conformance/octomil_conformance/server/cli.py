"""`octomil-conformance serve`: a server for tests of clients."""

import argparse
import difflib
from collections.abc import Callable, Mapping
from typing import TypeVar

from octomil_conformance.backend import ScriptedBackend
from octomil_conformance.backend.scenarios import MODEL_PREFIX
from octomil_conformance.backend.upstream import ANY_PORT
from octomil_conformance.config import is_printable
from octomil_conformance.options import Option, adding, positive
from octomil_conformance.output import signals_held, wait_for_the_end
from octomil_conformance.server import scenarios
from octomil_conformance.server.guide import guide, listing
from octomil_conformance.server.http_server import serving
from octomil_conformance.server.layers import around, cors
from octomil_conformance.server.mutants import all_mutants
from octomil_conformance.server.served import Upstreams, served
from octomil_conformance.server.subjects import Subject
from octomil_conformance.server.variants import all_variants

TOKEN = "conf-token"

T = TypeVar("T")


def run(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM. Returns the exit code."""
    if options.list:
        subjects = (all_variants().values(), all_mutants().values())
        print(listing(scenarios.sentences(), *subjects))
    else:
        with signals_held():
            _serve(options)
    return 0


def _serve(options: argparse.Namespace) -> None:
    subject = options.mutant or options.variant
    scenario, timeout = options.scenario or "", options.backend_timeout
    with ScriptedBackend(ANY_PORT, ANY_PORT, timeout) as backend:
        upstreams = Upstreams(backend.ollama_url, backend.openai_url, timeout)
        server = served(upstreams, options.token, subject, scenario)
        address = options.host, options.port
        with serving(around(server, cors), options.token, address) as url:
            print(guide(url, options.token, subject, scenario), flush=True)
            wait_for_the_end()


def _one_of(known: Mapping[str, T], kind: str) -> Callable[[str], T]:
    def chosen(name: str) -> T:
        if name not in known:
            raise argparse.ArgumentTypeError(_unknown(name, kind, known))
        return known[name]

    return chosen


def _mutant(name: str) -> Subject:
    mutant = _one_of(all_mutants(), "mutant")(name)
    if mutant.shows is None:
        raise argparse.ArgumentTypeError(
            f"no client meets the bug of {name}: {mutant.sentence}"
        )
    return mutant


def _scenario(name: str) -> str:
    name = name.removeprefix(MODEL_PREFIX)
    if not scenarios.is_scenario(name):
        raise argparse.ArgumentTypeError(
            _unknown(name, "scenario", scenarios.sentences())
        )
    return name


def _unknown(name: str, kind: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f", did you mean {near[0]}?" if near else ";"
    return f"there is no {kind} {name!r}{hint} --list explains all"


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected 0 to 65535, not {text!r}")
    return int(text)


def _token(text: str) -> str:
    if not is_printable(text):
        raise argparse.ArgumentTypeError(
            "expected printable ASCII without spaces around it"
        )
    return text


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run a server for tests of clients. Its answers are the same every time, and wrong on request."
    variant = _one_of(all_variants(), "variant")
    either = parser.add_mutually_exclusive_group()
    either.add_argument(
        "--mutant", type=_mutant, metavar="NAME", help="break the spec in this way"
    )
    either.add_argument(
        "--variant", type=variant, metavar="NAME", help="use this freedom of the spec"
    )
    _add_others(parser)


_add_others = adding(
    Option(
        "--scenario",
        "use this scenario for every model",
        {"type": _scenario, "metavar": "NAME"},
    ),
    Option(
        "--backend-timeout",
        "seconds that the server waits for a token (default 2); the scenarios slow and stall take longer",
        {"type": positive, "default": 2.0, "metavar": "S"},
    ),
    Option(
        "--host",
        "the address to listen on (default 127.0.0.1)",
        {"default": "127.0.0.1"},
    ),
    Option(
        "--port",
        "its port (default 8000); 0 is any free port",
        {"type": _port, "default": 8000},
    ),
    Option(
        "--token",
        f"the API token (default {TOKEN}); empty for none",
        {"type": _token, "default": TOKEN},
    ),
    Option(
        "--list",
        "explain every scenario, variant and mutant, and exit",
        {"action": "store_true"},
    ),
)
