"""Parsing the text of a variable, and the errors for text that cannot be parsed."""

import pytest

from octomil_ref import setting_values as values

PARSED = [
    (values.names, "a,b", ("a", "b")),
    (values.names, " a , ,b,", ("a", "b")),
    (values.names, ",", ()),
    (values.origins, "*", ("*",)),
    (values.origins, "https://a.example/", ("https://a.example",)),
    (values.origins, "HTTPS://A.example", ("https://a.example",)),
    (
        values.origins,
        "https://a.example, http://localhost:5173",
        ("https://a.example", "http://localhost:5173"),
    ),
    (values.optional_url, "", ""),
    (values.optional_url, "http://localhost:11434", "http://localhost:11434"),
    (values.optional_url, "https://host/path/", "https://host/path"),
    (values.optional_url, "http://[::1]:11434", "http://[::1]:11434"),
    (values.openai_url, "http://host:8080", "http://host:8080/v1"),
    (values.openai_url, "http://host:8080/", "http://host:8080/v1"),
    (values.openai_url, "https://host/v1/", "https://host/v1"),
    (values.openai_url, "https://host/openai/v2", "https://host/openai/v2"),
    (values.host, "[::1]", "::1"),
    (values.host, "localhost", "localhost"),
    (values.api_key, "sk-a_B.1", "sk-a_B.1"),
    (values.unquoted, '"', '"'),
    (values.headers, "", {}),
    (values.headers, " x-a :b:c , X-D: e f ", {"x-a": "b:c", "X-D": "e f"}),
    (values.positive, "30", 30.0),
    (values.positive, "0.5", 0.5),
    (values.not_negative, "0", 0.0),
    (values.not_negative, "5", 5.0),
    (values.at_least_one, "1", 1),
    (values.at_least_one, "64", 64),
    (values.port, "0", 0),
    (values.port, "65535", 65535),
    *((values.switch, text, True) for text in ("1", "true", "Yes", "ON")),
    *((values.switch, text, False) for text in ("0", "false", "No", "OFF")),
    (values.log_level, "debug", "DEBUG"),
    (values.log_level, "CRITICAL", "CRITICAL"),
    (values.log_format, "JSON", "json"),
    (values.log_format, "text", "text"),
]

A_URL = "a URL like http://localhost:11434, without user, query and fragment"
A_TIME = "a number of seconds above 0, at most 1000000"
A_TIME_OR_NONE = "a number of seconds from 0 to 1000000"
AN_ORIGIN = "* or origins like https://example.com"
A_HEADER = "headers like name: value, separated by commas"
AN_ALIAS = "entries like phi-4-mini=phi4-mini, separated by commas"

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
    '["https://a.example"]',
]

NOT_PARSED = [
    *((values.origins, text, AN_ORIGIN) for text in NO_ORIGINS),
    *((values.origins, f"https://a.example{tail}", AN_ORIGIN) for tail in ("/x", ",b")),
    *((values.optional_url, text, A_URL) for text in NO_URLS),
    (values.openai_url, "host/v1", A_URL),
    (values.host, "*", "a name or an address, such as 0.0.0.0 or :: for all"),
    (values.openai_url, "http://user:pass@host/v1", A_URL),
    (values.api_key, "sk-\u00e4", "printable ASCII"),
    (values.api_key, "sk\r\nX-Evil: 1", "printable ASCII"),
    (values.api_key, "Bearer sk-1", "a key without spaces, such as that of `Bearer `"),
    (values.unquoted, "'a'", "a value without quotes around it"),
    *(
        (values.headers, text, A_HEADER)
        for text in (
            *("x-a", "x-a:", ": b", "x a: b", "Host: b", "content-length: 3"),
            "Transfer-Encoding: chunked",
        )
    ),
    (values.positive, "0", A_TIME),
    (values.positive, "-1", A_TIME),
    (values.not_negative, "-0.1", A_TIME_OR_NONE),
    *(
        (read, text, expected)
        for read, expected in (
            (values.positive, A_TIME),
            (values.not_negative, A_TIME_OR_NONE),
        )
        for text in ("abc", "", "nan", "inf", "30s", "1_0", "1e300")
    ),
    *(
        (values.at_least_one, text, "an integer of at least 1")
        for text in ("0", "-1", "1.5", "", "\u00b2", "+1", "9" * 5000)
    ),
    *(
        (values.port, text, "a port from 0 to 65535")
        for text in ("65536", "-1", "http", "")
    ),
    *(
        (values.keys, text, "entries like name:token or token")
        for text in (":secret", "name: ", "a,:", "Bearer a", "name:a b")
    ),
    *(
        (values.keys, text, "entries of printable characters")
        for text in ("a\tb", "\udcff", "a\xa0b", "name:\x00")
    ),
    (values.switch, "maybe", "1 or 0"),
    (values.log_level, "LOUD", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    (values.log_format, "xml", "text or json"),
    *(
        (values.aliases, text, AN_ALIAS)
        for text in ("a", "=b", "a=", " = ", "ollama:=")
    ),
]

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


@pytest.mark.parametrize("read, text, value", PARSED)
def test_text_is_parsed(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize("read, text, expected", NOT_PARSED)
def test_the_error_says_what_was_expected(read, text, expected):
    with pytest.raises(ValueError) as caught:
        read(text)

    assert str(caught.value) == expected


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
    own = {of: {n: m for n, m in found[of].items() if n not in built_in[of]} for of in found}  # fmt: skip
    assert own == OWN_ALIASES[text]


def test_aliases_are_added_to_the_built_in_ones():
    table = values.aliases(" phi-4 = my-phi , ")

    assert table["ollama"] == values.BUILT_IN_ALIASES["ollama"] | {"phi-4": "my-phi"}
    assert values.BUILT_IN_ALIASES["ollama"]["phi-4"] == "phi4"


def test_shown_aliases_parse_to_the_same_aliases():
    table = values.aliases("a=b,openai:c=d")

    assert values.aliases(values.shown(table)) == table
