"""Which parameters of a request for inference reach the model (spec section 3)."""

from octomil_conformance.api import Api, model_for
from octomil_conformance.backend import Call
from octomil_conformance.checks import upstream
from octomil_conformance.checks.answers import ending, said
from octomil_conformance.checks.forwarding import BESIDE, FAMILIES
from octomil_conformance.exchange import Json, field
from octomil_conformance.expect import expect
from octomil_conformance.requirement import EACH_BACKEND, requirement
from octomil_conformance.target import PROMPT

VALUES = {
    "least": {"temperature": 0, "max_tokens": 1},
    "usual": {"temperature": 0.25, "max_tokens": 7},
    "largest": {"temperature": 2, "max_tokens": 100_000},
    "tenths": {"temperature": 0.7, "max_tokens": 64},
    "digits": {"temperature": 1.2345678901234567},
    "tiny": {"temperature": 1e-7},
}
"""Parameters to send. Some fractions change if they are stored in 32 bits, rounded to two places, or written with an exponent."""
STOPS = ["a, b", " END ", "\n\n", "x;y|z", "0", "five", "six", "\u4f60"]
"""As many strings as a request may have, with characters at which careless servers split or trim them."""
USUAL = {
    "top_p": 0.5,
    "top_k": 20,
    "seed": 42,
    "stop": ["END", "\n"],
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
}
ZERO = {"top_p": 0, "seed": 0, "presence_penalty": 0, "frequency_penalty": 0}
LEAST = {"top_k": 0, "seed": -1, "presence_penalty": -2, "frequency_penalty": -2}
MOST = {
    "top_p": 1,
    "top_k": 1000,
    "seed": 2**32 + 1,
    "stop": STOPS,
    "presence_penalty": 2,
    "frequency_penalty": 2,
}
FRACTIONS = {
    "top_p": 0.9,
    "presence_penalty": 0.1234567890123,
    "frequency_penalty": -1.1,
}
OTHER_VALUES = {
    "usual": (USUAL, USUAL),
    "zero": (ZERO, ZERO),
    "least": (LEAST, LEAST),
    "most": (MOST, MOST),
    "fractions": (FRACTIONS, FRACTIONS),
    "no-top-k": ({"top_k": -1}, {"top_k": -1}),
    "large-seed": ({"seed": 2**53 - 1}, {"seed": 2**53 - 1}),
    "one-stop": ({"stop": " a, b\n"}, {"stop": [" a, b\n"]}),
}
"""The parameters that the client sends, and those that reach the model."""
NULLS = dict.fromkeys(["temperature", "max_tokens", *USUAL, "min_p"])
UNKNOWN: dict[str, Json] = {
    "number": {"mirostat_tau": 4.5, "typical_p": 0.7, "min_p": 1e-05, "n_keep": 2**40},
    "other-types": {
        "minP": 0,
        "ignore_eos": False,
        "grammar": "root ::= [a-z]+, ' '",
        "logit_bias": {"7": -1.5, "8": [None, True], "9": None},
        "bad_words": [],
        "mode": "7",
        "suffix": "",
        "samplers": {},
        "extra_body": {"a": {}, "b": {"c": []}, "snakeCase_and": ""},
    },
    "odd-names": {
        **dict.fromkeys(("constructor", "toString", "hasOwnProperty"), 1),
        **dict.fromkeys(("timeout", "cache", "num_retries", "api_base", "tags"), 8),
        "metadata": {"a": "b"},
        "__proto__": {"a": 1},
        "a.b": 2,
        "$a": 3,
        "with space": 4,
        "\u00e9": 5,
        "camelCase": 6,
        "Min_P": 7,
        "Temperature": 0.3,
        "TOP_P": 0.4,
        "Max_Tokens": 5,
        "Stop": ["x"],
    },
    "thousands": {f"p{number}": number for number in range(2_000)},
    "beside-options": {
        "think": True,
        "format": {"type": "object", "properties": {"a": {"type": "string"}}},
        "keep_alive": "10m",
        "logprobs": True,
        "top_logprobs": 2,
    },
}
"""Parameters that only the model's server knows, whatever the names mean to a gateway. Ollama reads those of the last case beside its `options`."""


def sent_of(given: Json, call: Call) -> Json:
    """The parameters of an upstream call that have the names in `given`, or the same in other capitals."""
    sent = upstream.parameters(call)
    names = {*map(str.lower, given)}
    found = {name: sent[name] for name in sent if name.lower() in names}
    return dict.fromkeys(given) | found


@requirement("REQ-15", VALUES, through=EACH_BACKEND)
def parameters_reach_the_model(api: Api, given: Json) -> None:
    api.ask(scenario="echo", parameters=given)

    expect(sent_of(given, api.call()), given)


@requirement("REQ-16", UNKNOWN, through=EACH_BACKEND)
def unknown_parameters_reach_the_model(api: Api, given: Json) -> None:
    api.ask(scenario="echo", parameters=given)

    expect(sent_of(given, api.call()), given)


@requirement("REQ-21", OTHER_VALUES, through=EACH_BACKEND)
def other_parameters_reach_the_model(api: Api, given: Json, wanted: Json) -> None:
    api.ask(scenario="echo", parameters=given)
    call = api.call()
    known = upstream.known(wanted, call)

    expect(sent_of(known, call), known)


@requirement("REQ-21", through=EACH_BACKEND)
def what_one_model_refuses_reaches_another(api: Api) -> None:
    given = {"seed": 42}
    api.ask(scenario="no-seed", parameters=given)
    before = len(api.calls())
    api.ask(scenario="echo", parameters=given)
    sent = [upstream.parameters(call).get("seed") for call in api.calls()[before:]]

    expect(sent, [42], "the parameter, whatever another model refused")


@requirement("REQ-21", through=EACH_BACKEND)
def the_name_of_a_model_does_not_change_its_parameters(api: Api) -> None:
    given = {"temperature": 0.25, "max_tokens": 7, **USUAL}
    for family in FAMILIES:
        name = f"{family}/{model_for('echo', api.through)}"
        api.ask(scenario="echo", model_id=name, parameters=given)
    calls = api.calls()
    known = [upstream.known(given, call) for call in calls]

    expect([*map(sent_of, known, calls)], known)


@requirement("REQ-30", through=EACH_BACKEND)
def a_parameter_that_is_left_out_is_named(api: Api) -> None:
    given = {"seed": 42, "temperature": 0.25}
    answers = [api.ask(scenario="no-seed", parameters=given) for _ in range(2)]
    good = [answer for answer in answers if answer.status == 200]
    named = [field(ending(answer), "ignored_parameters") for answer in good]
    sent = [upstream.parameters(call).get("temperature") for call in api.calls()]

    expect(named, [["seed"]] * len(named), 'ignored_parameters: ["seed"] in each')
    expect(sent, [0.25] * len(sent), "temperature 0.25, which is not refused, in each")


@requirement("REQ-22", {"none": {}, "nulls": NULLS}, through=EACH_BACKEND)
def no_parameter_is_added(api: Api, given: dict[str, None]) -> None:
    api.ask(scenario="echo", parameters=given, **BESIDE)
    sent = upstream.parameters(api.call())
    added = {name: sent[name] for name in sent if name not in upstream.NO_PARAMETERS}

    expect(added, {}, "no parameter that the client did not send")


@requirement("REQ-21", through=EACH_BACKEND)
def an_empty_stop_is_accepted(api: Api) -> None:
    expect(said(api.ask(scenario="echo", parameters={"stop": []})), PROMPT)
