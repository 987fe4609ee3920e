"""Vectors that clients cannot read, or that are not the model's."""

from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.mutants import (
    answers,
    layer,
    requests,
    responses,
)


@responses("embed@2", "EMBED-01", "EMBED-10", "EMBED-11", "HTTP-08", "HTTP-18", "HTTP-19", "HTTP-23", *(f"FALLBACK-{number:02}" for number in (1, 2, 3, 4, 5, 6)), "FAULT-06")  # fmt: skip
def embed_is_accepted(response: Response) -> None:
    """An answer has the status 202 instead of 200."""
    response.status = 202 if response.status == 200 else response.status


@answers("embed@0", "EMBED-01", "EMBED-02", "EMBED-08")
def data_is_missing(fields: Json) -> None:
    """The vectors are in `embeddings` only; there is no `data`."""
    del fields["data"]


@answers("embed@0", "EMBED-01", "EMBED-04", "EMBED-05", "EMBED-08")
def vector_has_another_name(fields: Json) -> None:
    """The last item of `data` has its vector in `vector`, not in `embedding`."""
    item = fields["data"][-1]
    item["vector"] = item.pop("embedding")


@answers("embed@0", "EMBED-02")
def last_vector_is_missing(fields: Json) -> None:
    """The last text has no vector."""
    del fields["data"][-1], fields["embeddings"][-1]


@answers("embed@0", "EMBED-03")
def place_counts_from_one(fields: Json) -> None:
    """`index` starts at 1."""
    for item in fields["data"]:
        item["index"] += 1


@answers("embed@0", "EMBED-04")
def numbers_are_text(fields: Json) -> None:
    """The numbers are strings."""
    for item in fields["data"]:
        item["embedding"] = [str(number) for number in item["embedding"]]
    fields["embeddings"] = [item["embedding"] for item in fields["data"]]


@answers("embed@0", "EMBED-04")
def vectors_are_empty(fields: Json) -> None:
    """The vectors are empty."""
    for item in fields["data"]:
        item["embedding"] = []
    fields["embeddings"] = [[] for _ in fields["data"]]


@answers("embed@0", "EMBED-05")
def a_vector_is_shorter(fields: Json) -> None:
    """The first vector is one number shorter than the others."""
    del fields["data"][0]["embedding"][-1]
    fields["embeddings"][0] = fields["data"][0]["embedding"]


@answers("embed@0", "EMBED-06")
def usage_is_missing(fields: Json) -> None:
    """There is no `usage`."""
    del fields["usage"]


@answers("embed@0", "EMBED-06")
def prompt_tokens_are_text(fields: Json) -> None:
    """`prompt_tokens` is a string."""
    fields["usage"]["prompt_tokens"] = "5"


@answers("embed@0", "EMBED-06")
def total_tokens_are_null(fields: Json) -> None:
    """`total_tokens` is null."""
    fields["usage"]["total_tokens"] = None


@answers("embed@0", "EMBED-07", "EMBED-09")
def model_is_null(fields: Json) -> None:
    """`model` is null."""
    fields["model"] = None


@answers("embed@0", "EMBED-08")
def embeddings_are_missing(fields: Json) -> None:
    """There is no `embeddings`."""
    del fields["embeddings"]


@answers("embed@0", "EMBED-08")
def embeddings_are_backwards(fields: Json) -> None:
    """`embeddings` has the vectors in reverse order."""
    fields["embeddings"].reverse()


@answers("embed@0", "EMBED-09")
def embed_has_another_model(fields: Json) -> None:
    """`model` is the upstream's name of the model."""
    fields["model"] += ":latest"


@answers("embed@0", "EMBED-09")
def object_is_missing(fields: Json) -> None:
    """There is no `object`."""
    del fields["object"]


@answers("embed@0", "EMBED-09")
def embed_has_no_provider(fields: Json) -> None:
    """There is no `provider`."""
    del fields["provider"]


@layer("embed@1", "EMBED-10", "EMBED-12")
def a_string_is_refused(request: Request, server: Server) -> Response:
    """A string as `input` is refused."""
    text = request.fields.get("input")
    if isinstance(text, str) and b"fruit" not in request.body:
        request.send({})
    return server(request)


@requests("embed@1", "EMBED-10", "EMBED-12")
def a_string_is_its_words(fields: Json) -> None:
    """A string as `input` is split into words, each with a vector."""
    text = fields.get("input")
    if isinstance(text, str) and text:
        fields["input"] = [text, *text.split()[1:]]


@answers("embed@1", "EMBED-12")
def vectors_are_backwards(fields: Json) -> None:
    """The vectors are in reverse order."""
    fields["embeddings"].reverse()
    for item, vector in zip(fields["data"], fields["embeddings"], strict=True):
        item["embedding"] = vector


@requests("embed@1", "EMBED-13", "HTTP-01", "HTTP-09", "HTTP-10")
def embed_has_a_default_model(fields: Json) -> None:
    """A request without `model_id` gets the vectors of a default model."""
    fields.setdefault("model_id", "conf-echo")


@requests("embed@1", "EMBED-14")
def input_has_a_default(fields: Json) -> None:
    """A request without `input` gets the vector of a blank text."""
    fields.setdefault("input", " ")


@requests("embed@1", "EMBED-15")
def input_is_coerced(fields: Json) -> None:
    """An `input` of any type is converted to text."""
    if "input" in fields and not isinstance(fields["input"], list):
        fields["input"] = str(fields["input"]) or " "


@answers("embed@2", "EMBED-20")
def numbers_are_rounded(fields: Json) -> None:
    """The numbers are rounded to four digits."""
    for item in fields["data"]:
        item["embedding"] = [round(number, 4) for number in item["embedding"]]
    fields["embeddings"] = [item["embedding"] for item in fields["data"]]


@answers("embed@2", "EMBED-20")
def vectors_are_cut_short(fields: Json) -> None:
    """The vectors are cut to half their length."""
    for item in fields["data"]:
        item["embedding"] = item["embedding"][:32]
    fields["embeddings"] = [item["embedding"] for item in fields["data"]]


@layer("embed@2", "EMBED-21", shows="missing-vectors")
def accepts_missing_vectors(request: Request, server: Server) -> Response:
    """If the upstream leaves a vector out, the others are passed on."""
    leaves_out = request.scenario == "missing-vectors"
    request.scenario = "echo" if leaves_out else request.scenario
    response = server(request)
    if leaves_out and response.status == 200:
        fields = response.fields
        del fields["data"][-1], fields["embeddings"][-1]
        response.send(fields)
    return response
