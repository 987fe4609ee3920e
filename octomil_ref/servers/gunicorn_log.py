"""gunicorn's log, with a manner it lacks: what a broken request holds, which may be a token or a prompt, is not written down."""

from typing import Any

from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException


class Log(Logger):
    """Names the failures that it is told of, and does not quote them."""

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        named = [type(a).__name__ if isinstance(a, Exception) else a for a in args]
        super().debug(msg, *named, **kwargs)


def wordless(ex: ParseException) -> ParseException:
    """A failure of the same kind, which decides on the status, without the bytes at which it happened."""
    kind = type(ex)
    name = kind.__name__
    instead = {"__init__": Exception.__init__, "__str__": lambda self: name}
    same: type[ParseException] = type(name, (kind,), instead)
    return same()
