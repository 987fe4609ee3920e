"""Both servers work if no folder for temporary files can be written, as in a container with a read-only root."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from octomil_conformance.backend.scripts import says
from processes import serve
from reference import Reference, reference

LARGE = "x" * 2_000_000


@pytest.fixture(params=["waitress", "gunicorn"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reference]:
    # Python runs it at each start. Root may write into every folder, so that none can be made unwritable.
    customized = "import tempfile\ntempfile.tempdir = '/no/such/folder'\n"
    (tmp_path / "sitecustomize.py").write_text(customized)
    with reference(
        serve, request.param, PYTHONPATH=str(tmp_path), OCTOMIL_METRICS="1"
    ) as server:
        yield server


def test_large_requests_and_answers_need_no_temporary_file(server: Reference) -> None:
    server.ollama.on("/api/chat", says(LARGE))

    answer = server.ask(body={"model_id": "conf-echo", "input_data": LARGE})

    assert answer.json()["output"] == LARGE
    warnings = [line for line in server.process.lines if "no temporary folder" in line]
    assert len(warnings) == ("waitress" in server.process.argv)
