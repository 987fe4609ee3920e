"""The server with a bug: a single answer of the model `bug` raises an exception. Tests look at what it logs and answers."""

from octomil_ref.app import create_app
from octomil_ref.backends import Completion
from octomil_ref.cli import main
from octomil_ref.fallback import Fallback
from octomil_ref.payloads import CompletionRequest
from octomil_ref.records import AccessRecord

__all__ = ["create_app"]

_complete = Fallback.complete


def _with_bug(
    self: Fallback, request: CompletionRequest, record: AccessRecord
) -> Completion:
    if request.model_id == "bug":
        raise ZeroDivisionError
    return _complete(self, request, record)


Fallback.complete = _with_bug  # type: ignore[method-assign]

if __name__ == "__main__":
    main()
