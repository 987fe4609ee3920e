"""Parsing the text of a variable, and the errors for text that cannot be parsed."""

import pytest

from octomil_ref import setting_values as values

PARSED = {
    values.names: {"a,b": ("a", "b"), " a , ,b,": ("a", "b"), ",": ()},
    values.origins: {
        "*": ("*",),
        "https://a.example/": ("https://a.example",),
        "HTTPS://A.example,http://b:5173": ("https://a.example", "http://b:5173"),
    },
    values.optional_url: {
        "": "",
        "http://localhost:11434": "http://localhost:11434",
        "https://host/path/": "https://host/path",
        "http://[::1]:11434": "http://[::1]:11434",
    },
    values.openai_url: {
        "http://host:8080": "http://host:8080/v1",
        "http://host:8080/": "http://host:8080/v1",
        "https://host/v1/": "https://host/v1",
        "https://host/openai/v2": "https://host/openai/v2",
    },
    values.host: {"[::1]": "::1", "localhost": "localhost"},
    values.api_key: {"sk-a_B.1": "sk-a_B.1"},
    values.unquoted: {'"': '"'},
    values.headers: {"": {}, " x-a :b:c , X-D: e f ": {"x-a": "b:c", "X-D": "e f"}},
    values.positive_seconds: {"30": 30.0, "0.5": 0.5},
    values.seconds: {"0": 0.0, "5": 5.0},
    values.at_least_one: {"1": 1, "64": 64},
    values.port: {"0": 0, "65535": 65535},
    values.switch: {
        **dict.fromkeys(("1", "true", "Yes", "ON"), True),
        **dict.fromkeys(("0", "false", "No", "OFF"), False),
    },
    values.log_level: {"debug": "DEBUG", "CRITICAL": "CRITICAL"},
    values.log_format: {"JSON": "json", "text": "text"},
}

A_URL = "a URL like http://localhost:11434, without user, query and fragment"

NO_URLS = [
    *("localhost:11434", "ftp://host", "http://"),
    *("http:///path", "http://host:port", "http://host:65536"),
    *("http://host:0", "http://.host", "http://ho..st"),
    *("http://*", f"http://{'h' * 70}", "http://[::1"),
    *("http://host/a b", "http://host/\x07", "http://h\u00f6st"),
    *("http://user@host", "http://host?key=1", "http://host#part"),
    *("http://:secret@host", "http://@host", "http://host?"),
    *("http://host#", "http://ho;st", "http://host/%zz"),
]

NO_ORIGINS = [
    *("a.example", "https://", "null", "https://*.example", "https://a b"),
    *('["https://a.example"]', "https://a.example/x", "https://a.example,b"),
]

NO_HEADERS = [
    *("x-a", "x-a:", ": b", "x a: b", "Host: b", "content-length: 3"),
    "Transfer-Encoding: chunked",
]

NO_NUMBERS = ["abc", "", "nan", "inf", "30s", "1_0", "1e300"]

NOT_PARSED = [
    (values.origins, "* or origins like https://example.com", NO_ORIGINS),
    (values.optional_url, A_URL, NO_URLS),
    (values.openai_url, A_URL, ["host/v1", "http://user:pass@host/v1"]),
    (
        values.host,
        "a name or an address without a port, such as 0.0.0.0 or :: for all",
        ["*", "0.0.0.0:80", "[::]:80", "http://host", "tcp://10.0.0.1:80", "a b"],
    ),
    (values.api_key, "printable ASCII", ["sk-\u00e4", "sk\r\nX-Evil: 1"]),
    (
        values.api_key,
        "a key without spaces and without `Bearer`",
        ["Bearer sk-1"],
    ),
    (values.unquoted, "a value without quotes around it", ["'a'"]),
    (values.headers, "headers like name: value, separated by commas", NO_HEADERS),
    (
        values.positive_seconds,
        "a number of seconds above 0, at most 1000000",
        ["0", "-1", *NO_NUMBERS],
    ),
    (
        values.seconds,
        "a number of seconds from 0 to 1000000",
        ["-0.1", *NO_NUMBERS],
    ),
    (
        values.at_least_one,
        "an integer of at least 1",
        ["0", "-1", "1.5", "", "\u00b2", "+1", "9" * 5000],
    ),
    (values.port, "a port from 0 to 65535", ["65536", "-1", "http", ""]),
    (
        values.keys,
        "entries like name:token or token",
        [":secret", "name: ", "a,:", "Bearer a", "name:a b"],
    ),
    (
        values.keys,
        "entries of printable characters",
        ["a\tb", "\udcff", "a\xa0b", "name:\x00"],
    ),
    (values.keys, "a value without quotes around it", ["a,'b'", 'ci:"a"']),
    (values.switch, "1 or 0", ["maybe"]),
    (values.log_level, "DEBUG, INFO, WARNING, ERROR or CRITICAL", ["LOUD"]),
    (values.log_format, "text or json", ["xml"]),
    (
        values.aliases,
        "entries like phi-4-mini=phi4-mini, separated by commas",
        ["a", "=b", "a=", " = ", "ollama:="],
    ),
]
"""A parser, what it expects, and texts that it rejects."""

SHOWN = [
    (None, ""),
    ("http://localhost:11434", "http://localhost:11434"),
    (30.0, "30"),
    (0.5, "0.5"),
    (True, "1"),
    (False, "0"),
    ((), ""),
    (("a", "b"), "a,b"),
    ({"ollama": {"a": "b", "c": "d"}, "openai": {"e": "f"}},)
    + ("ollama:a=b,ollama:c=d,openai:e=f",),
]


@pytest.mark.parametrize("parse", PARSED)
def test_text_is_parsed(parse):
    assert {text: parse(text) for text in PARSED[parse]} == PARSED[parse]


@pytest.mark.parametrize("parse, expected, texts", NOT_PARSED)
def test_the_error_says_what_was_expected(parse, expected, texts):
    for text in texts:
        with pytest.raises(ValueError) as caught:
            parse(text)

        assert (text, str(caught.value)) == (text, expected)


@pytest.mark.parametrize("value, text", SHOWN)
def test_a_value_is_shown(value, text):
    assert values.shown(value) == text


OWN_ALIASES = {
    "mine=yours": {"ollama": {"mine": "yours"}, "openai": {"mine": "yours"}},
    "ollama:mine=yours": {"ollama": {"mine": "yours"}, "openai": {}},
    "openai:mine=yours": {"ollama": {}, "openai": {"mine": "yours"}},
    "openai:a=b=c": {"ollama": {}, "openai": {"a": "b=c"}},
    "a:7b=b:7b": {"ollama": {"a:7b": "b:7b"}, "openai": {"a:7b": "b:7b"}},
}


@pytest.mark.parametrize("text", OWN_ALIASES)
def test_an_alias_is_for_one_provider_or_for_all(text):
    found = values.aliases(text)

    built_in = values.BUILT_IN_ALIASES
    own = {
        of: {n: m for n, m in found[of].items() if n not in built_in[of]}
        for of in found
    }
    assert own == OWN_ALIASES[text]


def test_aliases_are_added_to_the_built_in_ones():
    table = values.aliases(" phi-4 = my-phi , ")

    assert table["ollama"] == values.BUILT_IN_ALIASES["ollama"] | {"phi-4": "my-phi"}
    assert values.BUILT_IN_ALIASES["ollama"]["phi-4"] == "phi4"


def test_shown_aliases_parse_to_the_same_aliases():
    table = values.aliases("a=b,openai:c=d")

    assert values.aliases(values.shown(table)) == table
