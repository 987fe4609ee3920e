"""Levels 1 and 2: does the server behave? One file for a profile, or for a section of the spec that several profiles share.

A check is a short function of an `Api`. It states what it got and wants with `expect`, and decides nothing else.
"""

from octomil_conformance.config import Config
from octomil_conformance.request_parts import MAX_TOKENS

MODEL_ANSWERS = {"infer": 27, "stream": 27, "batch": 42, "embed": 24}
"""How many answers a run at level 1 asks a model for, by profile. A test counts them, and says what to write here."""
WITHOUT_LIMIT = {"infer": 2, "stream": 2}
"""How many of them have no limit of tokens: the suite hangs up when they begin."""
MODEL_ANSWERS_OF_AUTH = 8
"""How many more the checks of auth need, at each endpoint."""
INPUTS = {"batch": 2}
"""The number of inputs in a request, if it is not one."""


def cost(config: Config) -> str:
    """The cost of a run, in words."""
    if config.level == 2:
        return "our backend answers; no model is asked"
    endpoints = [name for name in config.claims if name in MODEL_ANSWERS]
    served = [name for name in endpoints if config.claims[name] == 1]
    answers = sum(MODEL_ANSWERS[name] for name in served)
    answers += sum(INPUTS.get(name, 1) for name in endpoints if name not in served)
    if config.claims.get("auth"):
        asked = [INPUTS.get(name, 1) for name in endpoints or ["infer"]]
        answers += MODEL_ANSWERS_OF_AUTH * sum(asked) + (not endpoints)
    unlimited = sum(WITHOUT_LIMIT.get(name, 0) for name in served)
    limits = f"at most {MAX_TOKENS} tokens each"
    if unlimited:
        limits += f", except {unlimited} without a limit"
    return f"the run needs about {answers} answers from the model: {limits}"
