"""Level 0: can clients read this? Each check is a pure function of one exchange, live or recorded."""

from collections.abc import Callable

from octomil_conformance.exchange import Exchange
from octomil_conformance.wire import batch, bodies, embed, health, infer, stream

Check = Callable[[Exchange], None]

CHECKS: tuple[Check, ...] = (
    *bodies.CHECKS,
    *infer.CHECKS,
    *stream.CHECKS,
    *batch.CHECKS,
    *embed.CHECKS,
    *health.CHECKS,
)
