"""Rules for all modules together: imports point one way, and each library is imported in few modules."""

import ast
import re
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from builders import ASK, app_client, scripted
from octomil_conformance.backend.scripts import says

PACKAGE = Path(__file__).parents[2] / "octomil_ref"
SUITE = PACKAGE.parent / "conformance" / "octomil_conformance"


IMPORTERS = {
    "falcon": {
        *("middleware", "resources", "body"),
        *("sdk_endpoints", "sdk_endpoints.openai", "sdk_endpoints.octomil"),
    },
    "requests": {"backends.http"},
    "urllib3": {"backends.http", "backends.wire", "backends.framing"},
    "waitress": {"waitress_server"},
    "gunicorn": set(),
    "orjson": {"json_codec"},
    "prometheus_client": {"metrics"},
    "xllamacpp": {"demo.llama_cpp"},
    "argparse": {"cli"},
    "subprocess": {"demo.run"},
}
"""The modules that import each library."""

IMPURE = {"os", "sys", "io", "socket", "time", "threading", "logging", "pathlib"}

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}


def module_name(file: Path) -> str:
    """`backends.http`; a package has the name of its folder."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


TREES = {
    module_name(file): ast.parse(file.read_text("utf-8"), str(file))
    for file in sorted(PACKAGE.rglob("*.py"))
}


PURE = {
    name for name, tree in TREES.items() if "Pure." in (ast.get_docstring(tree) or "")
}
"""They call themselves pure: no files, no network, no environment, no clock."""


@cache
def imported(name: str) -> set[str]:
    """The full names of everything that a module imports: `octomil_ref.backends.http`, `urllib3.exceptions`."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively"
            found |= {_from(node.module or "", alias.name) for alias in node.names}
    return found


def _from(module: str, name: str) -> str:
    """The module that `from module import name` imports, or the module that it imports from."""
    inner = f"{module}.{name}"
    return inner if inner.removeprefix("octomil_ref.") in TREES else module


def neighbours(name: str) -> set[str]:
    """The modules of this package that one of them imports."""
    return {
        full.removeprefix("octomil_ref").removeprefix(".")
        for full in imported(name)
        if full.partition(".")[0] == "octomil_ref"
    }


def roots(name: str) -> set[str]:
    """The top-level packages that a module imports."""
    return {full.partition(".")[0] for full in imported(name)}


LAYERS = """
__main__ cli gunicorn_settings waitress_server demo
app
sdk_endpoints
resources middleware page
batch health metrics logs
streaming
fallback
backends.ollama backends.openai backends.adapting backends.reading backends.http
backends.wire backends.framing backends.refusals
settings_report listening settings body records backends keys payloads
errors clients clock json_codec setting_values
""".splitlines()
"""From top to bottom. Modules of a package that are not named have its layer."""

LAYER = {name: place for place, line in enumerate(LAYERS) for name in line.split()}


def layer(name: str) -> int:
    return LAYER[name if name in LAYER else name.partition(".")[0]]


def test_imports_point_one_way():
    graph = {name: neighbours(name) - {""} for name in TREES if name}

    TopologicalSorter(graph).prepare()  # raises for a cycle
    for name, found in graph.items():
        assert [each for each in found if layer(each) < layer(name)] == [], name


@pytest.mark.parametrize("library", IMPORTERS)
def test_a_library_is_imported_only_by(library):
    importers = {name for name in TREES if library in roots(name)}

    assert importers == IMPORTERS[library]


@pytest.mark.parametrize("name", sorted(PURE))
def test_a_pure_module_imports_nothing_impure(name):
    assert roots(name) & IMPURE == set()
    assert neighbours(name) <= PURE


def test_only_settings_use_the_environment():
    users = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT)
        or (isinstance(node, ast.alias) and node.name in ENVIRONMENT)
    }

    assert users == {"settings"}


def test_the_server_imports_only_the_spec_of_the_suite():
    """Except in a function: the scripted demo runs the suite's backend."""
    text = "".join(file.read_text("utf-8") for file in PACKAGE.rglob("*.py"))

    assert {
        *re.findall(r"^(?:from|import) octomil_conformance.*", text, re.MULTILINE)
    } == {
        "from octomil_conformance import spec",
        "from octomil_conformance.spec import Requirement",
    }


def test_every_module_has_a_docstring():
    without = [name for name, tree in TREES.items() if not ast.get_docstring(tree)]

    assert without == []


def test_the_suite_does_not_mention_the_server():
    sources = {file: file.read_text("utf-8") for file in SUITE.rglob("*.py")}

    assert len(sources) > 30
    assert [file for file, text in sources.items() if "octomil_ref" in text] == []


def test_docstrings_name_sections_that_the_spec_has():
    spec = (SUITE / "spec" / "cloud-inference.md").read_text("utf-8")
    sections = set(re.findall(r"^##+ (\d+(?:\.\d+)?)", spec, re.MULTILINE))

    named = [
        (name, number)
        for name, tree in TREES.items()
        for words in re.findall(r"spec section([^)]+)", ast.get_docstring(tree) or "")
        for number in re.findall(r"\d+(?:\.\d+)?", words)
    ]

    assert len(named) > 10
    assert [each for each in named if each[1] not in sections] == []


def test_the_links_of_the_readme_exist():
    """By absolute links: the package index shows it too."""
    readme = PACKAGE.parent / "README.md"
    text = readme.read_text("utf-8")
    links = re.findall(r"octomil/octomil-ref/(?:blob/)?main/([^)#\s]+)", text)

    assert len(links) > 5
    assert [link for link in links if not readme.parent.joinpath(link).exists()] == []
    assert re.findall(r"\]\((?!http)", text) == []


LISTS = {
    title: re.findall(r"[\w/]+\.py", lines)
    for title, lines in re.findall(
        r"^(\S.*):\n\n((?:    .*\n)+)", ast.get_docstring(TREES[""]) or "", re.MULTILINE
    )
}
"""The files that the package's docstring lists, by the title of the list."""


FOLDERS = ("page/", "demo/", "sdk_endpoints/")


def test_the_package_lists_each_module_once():
    """Modules that are not part of the API are listed by their folder."""
    files = {file.relative_to(PACKAGE).as_posix() for file in PACKAGE.rglob("*.py")}
    modules = {file for file in files if not file.startswith(FOLDERS)}

    listed = [file for files in LISTS.values() for file in files]
    assert sorted(listed) == sorted(modules - {"__init__.py"})


def test_a_streamed_request_passes_at_most_14_modules_in_the_order_of_their_list():
    called: dict[str, None] = {}  # files, in the order of their first call

    def note(frame, event, argument):
        called[frame.f_code.co_filename] = None

    with scripted(says("a")) as server:
        client = app_client(ollama_base_url=server.url)
        sys.setprofile(note)
        client.simulate_post("/api/v1/inference/stream", json=ASK)
        sys.setprofile(None)

    ours = [Path(file) for file in called if Path(file).is_relative_to(PACKAGE)]
    passed = ["app.py", *(file.relative_to(PACKAGE).as_posix() for file in ours)]
    path = LISTS["In the order in which a streamed request passes them"]
    others = [*LISTS["Used on the way"], *LISTS["When something fails"]]
    assert {*passed} <= {*path, *others}
    in_path = [file for file in passed if file in path]
    assert len(in_path) <= 14
    values = "backends/__init__.py"  # made on the way, but first called at the end
    in_path.remove(values)
    assert in_path == [f for f in path if f not in (values, "backends/openai.py")]
