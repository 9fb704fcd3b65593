"""The item that a model is writing now, out of JSON that is not complete yet. Only for showing: nothing relies on it.

The items of an answer are the objects in its first list. Any other answer is one item.
"""

from __future__ import annotations

import re
from typing import Any

import jiter

_MARK = re.compile(r'[][{}"\\]')
_GROWTH = 8
"""The item is read again when it has grown by this share, an eighth: so all reads together are linear."""


class OpenItem:
    """Follows a text, piece by piece; each character is looked at once.

    Args:
        many: Whether the answer is a list of items.
    """

    def __init__(self, *, many: bool) -> None:
        self._many = many
        self._parts: list[str] = []  # the text since the open item began
        self._length = 0
        self._kinds: list[str] = []  # the brackets that are open
        self._list_depth = 0  # the depth of the list that has the items; 0: there was none yet
        self._item_depth = 0  # the depth of the open item; 0: there is none
        self._in_text = self._escaped = False
        self._read_at = 0

    def feed(self, piece: str) -> None:
        """Add a piece of text."""
        begun = 0 if self._item_depth else len(piece)
        skip = -1
        if self._escaped and piece:
            self._escaped, skip = False, 0
        for mark in _MARK.finditer(piece):
            at, what = mark.start(), mark.group()
            if at == skip:
                continue
            if what == "\\":
                if self._in_text:
                    skip = at + 1
                    self._escaped = skip == len(piece)
            elif what == '"':
                self._in_text = bool(self._kinds) and not self._in_text
            elif self._in_text:
                continue
            elif what in "[{":
                self._kinds.append(what)
                if what == "[" and self._many and not self._list_depth and len(self._kinds) <= 2:
                    self._list_depth, self._item_depth = len(self._kinds), 0
                elif what == "{" and not self._item_depth and len(self._kinds) == self._list_depth + 1 > self._many:
                    self._item_depth, begun = len(self._kinds), at
                    self._parts, self._length, self._read_at = [], 0, 0
            elif self._kinds:
                if len(self._kinds) == self._item_depth:
                    self._item_depth = 0
                    begun = len(piece)
                if len(self._kinds) == self._list_depth:
                    self._list_depth = 0
                self._kinds.pop()
        if self._item_depth:
            self._parts.append(piece[begun:])
            self._length += len(piece) - begun

    def value(self) -> Any:
        """Return what is known of the open item if it has grown enough since the last time; else None."""
        if not self._item_depth or self._length < self._read_at + 1 + self._read_at // _GROWTH:
            return None
        self._read_at = self._length
        text = "".join(self._parts)
        self._parts = [text]
        try:
            return jiter.from_json(text.encode("utf-8", "replace"), partial_mode="trailing-strings")
        except ValueError:  # a fault that may be repaired when the item is closed
            return None
