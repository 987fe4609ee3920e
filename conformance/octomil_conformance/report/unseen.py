"""Characters that a reader would not see, or that would do something to a terminal or a page, by their numbers."""

import re

UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Control characters, spaces without width, changes of direction, halves of a pair. Tab and newline are none of them."""


def named(text: str) -> str:
    return UNSEEN.sub(lambda each: number(each[0]), text)


def number(character: str) -> str:
    return f"U+{ord(character):04X}"
