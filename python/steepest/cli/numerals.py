"""Recognition of numbers that a reader of tables leaves as text, because of decimal commas, separators or signs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_PLAIN = r"(?:\d+\.?\d*|\.\d+)"
_GROUPED = r"\d{1,3}(?P<separator>[,.'\u2019 \u00a0\u202f_])\d{3}(?:(?P=separator)\d{3})*(?:[.,]\d+)?"
_COMMA = r"\d*,\d+"
_SIGN = r"[+\-\u2212]?"
_EXPONENT = r"(?:[eE][+-]?\d+|[dD][+-]\d+)"
_UNIT = r"[%\u2030$\u20ac\u00a3\u00a5]"
_NUMBER = re.compile(rf"\(?{_SIGN}\s*{_UNIT}?\s*{_SIGN}(?:{_GROUPED}|{_COMMA}|{_PLAIN}){_EXPONENT}?\s*{_UNIT}?\)?")
_READ = re.compile(rf"[+-]?{_PLAIN}(?:[eE][+-]?\d+)?", re.ASCII)
_KINDS = (
    ("a percent sign", re.compile(r"[%\u2030]")),
    ("a currency sign", re.compile(r"[$\u20ac\u00a3\u00a5]")),
    ("an exponent written with D", re.compile(r"[dD]")),
    ("parentheses", re.compile(r"\(")),
    ("a minus sign that is not a hyphen", re.compile("\u2212")),
    ("a decimal comma", re.compile(r"(?<![\d,])0?,\d|\d,(?!\d{3}(?!\d))\d|\.\d{3},\d")),
    ("a thousands separator", re.compile(r"\d[,.'\u2019 \u00a0\u202f_]\d{3}")),
)


def is_number(text: str) -> bool:
    """Return whether a person would read a text as a number."""
    return _NUMBER.fullmatch(text.strip()) is not None


def spelling(texts: Iterable[str]) -> tuple[str, str] | None:
    """Return the reason why numbers cannot be read, such as "a decimal comma", and the first text that shows it.

    Return None if one of the texts is no number, or if all of them can be read.
    """
    texts = [text.strip() for text in texts]
    if not all(map(is_number, texts)):
        return None
    unread = [text for text in texts if not _READ.fullmatch(text)]
    for kind, pattern in _KINDS:
        for text in unread:
            if pattern.search(text):
                return kind, text
    return ("characters that are not the digits 0-9", unread[0]) if unread else None


def range_of_integers(values: Iterable[Any]) -> tuple[int, int] | None:
    """Return the least and the largest of integers, which are numbers or text of any length.

    Return None if a value is no integer, or if there are none.
    """
    try:
        exact = [int(str(value)) for value in values]
    except ValueError:
        return None
    return (min(exact), max(exact)) if exact else None
