"""gunicorn's threaded worker and its log, with manners they lack: once the worker is told to stop, nobody waits in vain for it;
and what a broken request holds, which may be a token or a prompt, is not written down."""

from typing import Any

from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import ThreadWorker


class Worker(ThreadWorker):
    """Gives its listening sockets up as soon as it takes no more connections.

    gunicorn's own keeps them until its last stream has ended: until then new clients are let in and hang.
    """

    def set_accept_enabled(self, enabled: bool | None) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """Answers a request that could not be read, and logs it."""
        wordless = _wordless(exc) if isinstance(exc, ParseException) else exc
        super().handle_error(req, client, addr, wordless)


class Log(Logger):
    """Names the failures that it is told of, and does not quote them."""

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        named = [type(a).__name__ if isinstance(a, Exception) else a for a in args]
        super().debug(msg, *named, **kwargs)


def _wordless(ex: ParseException) -> ParseException:
    """A failure of the same kind, which decides on the status, without the bytes at which it happened."""
    kind = type(ex)
    name = kind.__name__
    instead = {"__init__": Exception.__init__, "__str__": lambda self: name}
    same: type[ParseException] = type(name, (kind,), instead)
    return same()
