"""Gates: how many tokens of the answers to a nonce may leave. A check opens them; it never guesses an interval."""

import threading

HELD_AT_MOST = 10.0
"""Seconds after which a held answer goes on, so that nothing hangs."""

WHOLE = 1_000_000_000
"""More tokens than any answer has. A single answer waits for this many."""


class Gates:
    """Thread-safe. A nonce without a gate is not held."""

    def __init__(self) -> None:
        self._allowed: dict[str, int] = {}
        self._changed = threading.Condition()

    def allow(self, nonce: str, tokens: int) -> None:
        with self._changed:
            self._allowed[nonce] = tokens
            self._changed.notify_all()

    def open(self, nonce: str) -> None:
        """Opens the gate for the whole group, including later calls."""
        with self._changed:
            self._drop_below(nonce)
            self._allowed[nonce] = WHOLE
            self._changed.notify_all()

    def close(self, nonce: str, tokens: int) -> None:
        """Puts a gate before a call that has none yet."""
        with self._changed:
            if self._nearest(nonce) is None:
                self._allowed[nonce] = tokens

    def forget(self, nonce: str) -> None:
        with self._changed:
            self._drop_below(nonce)
            self._allowed.pop(nonce, None)
            self._changed.notify_all()

    def passes(self, nonce: str, token: int, wait: float) -> bool:
        """True once token number `token` may leave, False after `wait` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._may(nonce, token), wait)

    def _may(self, nonce: str, token: int) -> bool:
        gate = self._nearest(nonce)
        return gate is None or token <= self._allowed[gate]

    def _nearest(self, nonce: str) -> str | None:
        """The gate of the nonce itself, else of the smallest group around it."""
        while nonce and nonce not in self._allowed:
            nonce = nonce.rpartition(".")[0]
        return nonce or None

    def _drop_below(self, nonce: str) -> None:
        for name in [name for name in self._allowed if name.startswith(f"{nonce}.")]:
            del self._allowed[name]
