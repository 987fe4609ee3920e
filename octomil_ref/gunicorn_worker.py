"""gunicorn's threaded worker, with one manner it lacks: once it is told to stop, nobody waits in vain for it."""

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
