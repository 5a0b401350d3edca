"""What a PromQL expression asks for: metrics with their label matchers, and labels it groups by.

Enough of the language for our own files; a name that is neither a function nor a word of the
language is taken for a metric, so that a typing error shows as an unknown one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

WORDS = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan"})
_STRING = r'"(?:[^"\\]|\\.)*"'
_GROUPING = re.compile(
    r"\b(?:by|without|on|ignoring|group_left|group_right)\b(?:\s*\((?P<labels>[^)]*)\))?"
)
_RANGE = re.compile(r"\[([\w$:]+)\]")
_SELECTOR = re.compile(
    rf"(?<![\w.])(?P<name>[a-zA-Z_:][\w:]*)\s*(?:\{{(?P<labels>(?:[^\"}}]|{_STRING})*)\}})?(?P<call>\s*\()?"
)
_MATCHER = re.compile(rf"(\w+)\s*(=~|!~|!=|=)\s*({_STRING})")


class Selector(NamedTuple):
    """A metric and its matchers: label name to operator and value."""

    metric: str
    matchers: Mapping[str, tuple[str, str]]


def selectors(expression: str) -> Iterator[Selector]:
    """Yield every metric that an expression names."""
    bare = _without_arguments(_RANGE.sub("", _GROUPING.sub("", expression)))
    for found in _SELECTOR.finditer(bare):
        if (found["call"] and found["labels"] is None) or found["name"].lower() in WORDS:
            continue
        matchers = _MATCHER.findall(found["labels"] or "")
        yield Selector(found["name"], {name: (op, text[1:-1]) for name, op, text in matchers})


def groupings(expression: str) -> set[str]:
    """Return the labels that an expression groups or matches by."""
    lists = ",".join(_GROUPING.findall(expression))
    return {name.strip() for name in lists.split(",") if name.strip()}


def ranges(expression: str) -> list[str]:
    """Return what stands in brackets."""
    return _RANGE.findall(expression)


def _without_arguments(expression: str) -> str:
    """Return the expression without strings that are arguments, such as label_replace's."""
    return re.sub(rf"([(,]\s*){_STRING}(?=\s*[,)])", r"\1", expression)
