"""A report as one HTML file, which loads nothing and runs no script but its own."""

import base64
import hashlib
from pathlib import Path
from string import Template

from octomil_conformance.report.markup import Markup

FOLDER = Path(__file__).parent


def document(title: Markup, body: Markup) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return Template(_asset("page.html")).substitute(
        title=title, policy=policy, style=style, script=script, body=body
    )


def _asset(name: str) -> str:
    return (FOLDER / name).read_text("utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
