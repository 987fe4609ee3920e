"""Level 0: can clients read the answers? Each check is a pure function of one exchange, live or recorded."""

from octomil_conformance.requirement import Check, checks_in
from octomil_conformance.wire import batch, common, embed, health, infer, stream

CHECKS: tuple[Check, ...] = (*checks_in(common, infer, stream, batch, embed, health),)
