"""Vectors that clients cannot read, or that are not the model's."""

from dataclasses import replace
from itertools import chain

from octomil_conformance.server import on
from octomil_conformance.server.layers import Json, Request, Response, Server
from octomil_conformance.server.on import GONE


@on.responses(
    "embed@2",
    "EMBED-01 EMBED-10 EMBED-11 HTTP-08 HTTP-18 HTTP-19 HTTP-23 HTTP-28 "
    "FALLBACK-01..06 FALLBACK-10 FAULT-06",
)
def embed_is_accepted(response: Response) -> None:
    """A good answer has the status 202."""
    if response.status == 200:
        response.status = 202


on.answers("embed@0", "EMBED-01 EMBED-02 EMBED-08 EMBED-16").sets(
    data_is_missing=("data", GONE)
)
on.answers("embed@0", "EMBED-06").sets(usage_is_missing=("usage", GONE))
on.answers("embed@0", "EMBED-07 EMBED-09").sets(model_is_null=("model", None))
on.answers("embed@0", "EMBED-08").sets(embeddings_are_missing=("embeddings", GONE))
on.answers("embed@0", "EMBED-09").sets(
    object_is_missing=("object", GONE), embed_has_no_provider=("provider", GONE)
)


@on.answers("embed@0", "EMBED-01 EMBED-04 EMBED-05 EMBED-08 EMBED-16")
def vector_has_another_name(fields: Json) -> None:
    """The last item of `data` has its vector in `vector`, not in `embedding`."""
    item = fields["data"][-1]
    item["vector"] = item.pop("embedding")


@on.refuses("embed@2", "EMBED-23", shows=None)
def a_text_of_zero_is_empty(fields: Json) -> bool:
    """The text 0 is refused, because it is false in PHP and Perl."""
    return isinstance(fields.get("input"), list) and "0" in fields["input"]


@on.answers("embed@0", "EMBED-02")
def last_vector_is_missing(fields: Json) -> None:
    """The last text has no vector."""
    del fields["data"][-1], fields["embeddings"][-1]


@on.answers("embed@0", "EMBED-03")
def place_counts_from_one(fields: Json) -> None:
    """`index` starts at 1."""
    for item in fields["data"]:
        item["index"] += 1


def replace_vectors(fields: Json, *vectors: object) -> None:
    """Replaces the vectors in `data` and in `embeddings`."""
    fields["embeddings"] = list(vectors)
    for item, vector in zip(fields["data"], vectors, strict=True):
        item["embedding"] = vector


@on.answers("embed@0", "EMBED-04")
def numbers_are_text(fields: Json) -> None:
    """The numbers are strings."""
    replace_vectors(fields, *([*map(str, each)] for each in fields["embeddings"]))


@on.answers("embed@0", "EMBED-04")
def vectors_are_empty(fields: Json) -> None:
    """The vectors are empty."""
    replace_vectors(fields, *([] for _ in fields["embeddings"]))


@on.answers("embed@0", "EMBED-05")
def a_vector_is_shorter(fields: Json) -> None:
    """The first vector is one number shorter than the others."""
    first, *others = fields["embeddings"]
    replace_vectors(fields, first[:-1], *others)


@on.answers("embed@0", "EMBED-06")
def prompt_tokens_are_text(fields: Json) -> None:
    """`prompt_tokens` is a string."""
    fields["usage"]["prompt_tokens"] = "5"


@on.answers("embed@0", "EMBED-06")
def total_tokens_are_null(fields: Json) -> None:
    """`total_tokens` is null."""
    fields["usage"]["total_tokens"] = None


@on.replies("embed@2", "EMBED-08 EMBED-16", shows="shuffled")
def embeddings_keep_the_upstreams_order(request: Request, response: Response) -> None:
    """`data` is sorted by the upstream's index, and `embeddings` is not."""
    if request.played != "shuffled":
        return
    fields = response.fields
    vectors = fields["embeddings"]
    response.send(fields | {"embeddings": vectors[1::2] + vectors[::2]})


@on.answers("embed@0", "EMBED-08 EMBED-16")
def embeddings_are_backwards(fields: Json) -> None:
    """`embeddings` has the vectors in reverse order."""
    fields["embeddings"].reverse()


@on.answers("embed@2", "EMBED-16", shows=None)
def embeddings_are_of_the_first_portion(fields: Json) -> None:
    """In a long answer, `embeddings` has only the first 64 vectors."""
    del fields["embeddings"][64:]


@on.answers("embed@0", "EMBED-09")
def embed_has_another_model(fields: Json) -> None:
    """`model` is the upstream's name of the model."""
    fields["model"] += ":latest"


@on.refuses("embed@1", "EMBED-10 EMBED-12")
def a_string_is_refused(fields: Json) -> bool:
    """A string as `input` is refused."""
    text = fields.get("input")
    return isinstance(text, str) and "fruit" not in text


@on.bodies("embed@1", "EMBED-10 EMBED-12")
def a_string_is_its_words(fields: Json) -> None:
    """A string as `input` is split into words, each with a vector."""
    text = fields.get("input")
    if isinstance(text, str) and text:
        fields["input"] = [text, *text.split()[1:]]


@on.answers("embed@1", "EMBED-12")
def vectors_are_backwards(fields: Json) -> None:
    """The vectors are in reverse order."""
    replace_vectors(fields, *fields["embeddings"][::-1])


@on.bodies("embed@1", "EMBED-13 HTTP-01 HTTP-27")
def embed_has_a_default_model(fields: Json) -> None:
    """A request without `model_id` gets the vectors of a default model."""
    fields.setdefault("model_id", "conf-echo")


@on.bodies("embed@1", "EMBED-14")
def input_has_a_default(fields: Json) -> None:
    """A request without `input` gets the vector of a blank text."""
    fields.setdefault("input", " ")


@on.bodies("embed@1", "EMBED-15")
def input_is_coerced(fields: Json) -> None:
    """An `input` of any type is converted to text."""
    if "input" in fields and not isinstance(fields["input"], list):
        fields["input"] = str(fields["input"]) or " "


@on.answers("embed@2", "EMBED-20")
def numbers_are_rounded(fields: Json) -> None:
    """The numbers are rounded to four digits."""
    rounded = [[round(n, 4) for n in vector] for vector in fields["embeddings"]]
    replace_vectors(fields, *rounded)


@on.answers("embed@2", "EMBED-20")
def vectors_are_cut_short(fields: Json) -> None:
    """The vectors are cut to half their length."""
    replace_vectors(fields, *(vector[:32] for vector in fields["embeddings"]))


@on.layer("embed@2", "EMBED-21", shows="missing-vectors")
def accepts_missing_vectors(request: Request, server: Server) -> Response:
    """If the upstream leaves a vector out, the others are passed on."""
    leaves_out = request.played == "missing-vectors"
    request.scenario = request.scenario.replace("missing-vectors", "echo")
    response = server(request)
    if leaves_out and response.status == 200:
        fields = response.fields
        del fields["data"][-1], fields["embeddings"][-1]
        response.send(fields)
    return response


@on.answers("embed@2", "EMBED-12 EMBED-20 EMBED-23")
def later_vectors_change_places(fields: Json) -> None:
    """The third and the fourth vector have changed places."""
    vectors = fields["embeddings"]
    replace_vectors(fields, *vectors[:2], *vectors[2:4][::-1], *vectors[4:])


def first_texts(fields: Json, most: int) -> None:
    if isinstance(fields.get("input"), list):
        fields["input"] = fields["input"][:most]


@on.bodies("embed@2", "EMBED-24 EMBED-26", shows=None)
def two_hundred_texts_are_embedded(fields: Json) -> None:
    """Only the first two hundred texts are embedded."""
    first_texts(fields, 200)


@on.bodies("embed@2", "EMBED-26", shows=None)
def a_thousand_texts_are_embedded(fields: Json) -> None:
    """Only the first thousand texts are embedded."""
    first_texts(fields, 1000)


@on.bodies("embed@2", "EMBED-23", shows=None)
def sixteen_texts_are_embedded(fields: Json) -> None:
    """Only the first sixteen texts are embedded."""
    first_texts(fields, 16)


@on.bodies("embed@2", "EMBED-23", shows=None)
def equal_texts_are_embedded_once(fields: Json) -> None:
    """Only one of several equal texts gets a vector."""
    texts = fields.get("input")
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        fields["input"] = [*dict.fromkeys(texts)]


@on.answers("embed@2", "EMBED-24")
def usage_is_of_the_last_portion(fields: Json) -> None:
    """If there are more than 32 texts, only those of the last portion are counted."""
    share = (len(fields["data"]) - 1) // 32
    if share:
        fields["usage"] = {
            name: count // (share + 1) for name, count in fields["usage"].items()
        }


@on.answers("embed@2", "EMBED-24")
def usage_is_zero(fields: Json) -> None:
    """The token counts are 0."""
    fields["usage"] = {"prompt_tokens": 0, "total_tokens": 0}


@on.answers("embed@2", "EMBED-24", shows=None)
def the_last_portion_counts(fields: Json) -> None:
    """If there are more than 96 texts, they are sent in portions, and only the last portion is counted."""
    usage, texts = fields["usage"], len(fields["data"])
    if texts > 96:
        fields["usage"] = {name: usage[name] * (texts % 96) // texts for name in usage}


@on.answers("embed@2", "EMBED-06 EMBED-24 HTTP-25", shows="uncounted")
def usage_needs_a_count(fields: Json) -> None:
    """`usage` is empty if the upstream gives no count."""
    if not fields["usage"]["prompt_tokens"]:
        fields["usage"] = {}


@on.failures("embed@2", "EMBED-25", shows="missing")
def missing_models_have_no_code_of_their_own(fields: Json) -> None:
    """The `code` of a missing model is that of an unknown path."""
    if fields["code"] == "model_not_found":
        fields["code"] = "invalid_input"


@on.replies("embed@2", "EMBED-20", shows=None)
def dimensions_cut_the_vectors(request: Request, response: Response) -> None:
    """`dimensions`, a field that this API does not have, cuts the vectors."""
    length = request.fields.get("dimensions")
    if response.status == 200 and length:
        fields = response.fields
        for each in fields["data"]:
            each["embedding"] = each["embedding"][:length]
        response.send(fields)


@on.replies("embed@2", "EMBED-26", shows=None)
def portions_are_joined_in_any_order(request: Request, response: Response) -> None:
    """Hundreds of texts are sent in portions at once, whose vectors are joined in the order in which they come."""
    if request.played == "late-beginning" and response.status == 200:
        fields = response.fields
        found = [each["embedding"] for each in fields["data"]]
        for each, vector in zip(fields["data"], [*found[100:], *found[:100]]):
            each["embedding"] = vector
        response.send(fields)


_known: dict[str, Response] = {}


@on.layer("embed@2", "REQ-25", shows=None)
def vectors_are_kept_by_their_text(request: Request, server: Server) -> Response:
    """A text gets the vector that an earlier request got for it, even from another model. Only models with a tag show it."""
    text = str(request.fields.get("input"))
    if ":" not in str(request.fields.get("model_id")):
        return server(request)
    if text not in _known:
        _known[text] = server(request)
    return replace(_known[text])


@on.layer("embed@2", "EMBED-30", shows=None)
def each_portion_has_its_own_fallback(request: Request, server: Server) -> Response:
    """Hundreds of texts are asked for in portions, each with a fallback of its own."""
    fields = request.fields
    texts = fields.get("input")
    if not isinstance(texts, list) or len(texts) < 100:
        return server(request)
    parts = [fields | {"input": texts[n : n + 50]} for n in range(0, len(texts), 50)]
    answers = [server(replace(request).send(part)) for part in parts]
    vectors = [*chain(*(each.fields.get("embeddings", ()) for each in answers))]
    data = [{"index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    return answers[0].send(answers[0].fields | {"data": data, "embeddings": vectors})


@on.bodies("embed@2", "EMBED-15 EMBED-23")
def empty_texts_are_left_out(fields: Json) -> None:
    """Empty texts among others are left out."""
    if isinstance(texts := fields.get("input"), list):
        fields["input"] = [text for text in texts if text != ""] or texts


@on.bodies("embed@2", "EMBED-23", shows=None)
def blank_texts_are_left_out(fields: Json) -> None:
    """Texts of white space alone are left out."""
    if isinstance(texts := fields.get("input"), list):
        fields["input"] = [t for t in texts if not str(t).isspace()] or texts


@on.replies("embed@2", "EMBED-23", shows=None)
def texts_are_compared_as_numbers(request: Request, response: Response) -> None:
    """Texts that are equal as numbers get the vector of the first, as PHP's `array_search` finds it."""
    texts, fields = request.fields.get("input"), response.fields
    if isinstance(texts, list) and "7.0" in texts and "embeddings" in fields:
        vectors = fields["embeddings"]
        vectors[texts.index("7.0")] = vectors[texts.index("7")]
        replace_vectors(fields, *vectors)
        response.send(fields)


_cached: dict[str, Response] = {}


@on.layer("embed@2", "EMBED-23", shows=None)
def texts_are_joined_for_a_cache(request: Request, server: Server) -> Response:
    """Vectors are cached by the texts of a request, joined with commas."""
    given = request.fields.get("input")
    texts = ",".join(map(str, given)) if isinstance(given, list) else ""
    if texts != "a,b":
        return server(request)
    return _cached.setdefault(request.scenario, server(request))


@on.bodies("embed@2", "EMBED-23", shows=None)
def a_text_alone_is_trimmed(fields: Json) -> None:
    """White space around a text that is not in an array is removed."""
    if isinstance(text := fields.get("input"), str):
        fields["input"] = text.strip() or text


@on.answers("embed@2", "EMBED-26", shows=None)
def an_index_begins_again(fields: Json) -> None:
    """The index of every hundredth vector is 0 again, because the texts are embedded in portions."""
    for item in fields.get("data", []):
        item["index"] %= 100


@on.answers("embed@2", "EMBED-24", shows=None)
def a_thousand_are_two_portions(fields: Json) -> None:
    """The counts of a thousand texts are those of the last portion."""
    if len(fields.get("data", ())) > 1000:
        fields["usage"] = dict.fromkeys(fields["usage"], 152)


@on.bodies("embed@1", "EMBED-15")
def arrays_of_arrays_are_joined(fields: Json) -> None:
    """Arrays in `input` are joined."""
    if isinstance(fields.get("input"), list):
        nested = [each if type(each) is list else [each] for each in fields["input"]]
        fields["input"] = [*chain.from_iterable(nested)]
