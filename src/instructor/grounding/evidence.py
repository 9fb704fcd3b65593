"""What the user gets: where in the text an item and its fields stand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, overload

from instructor.exceptions import ConfigurationError

ATTRIBUTE = "_evidence"
"""Where an item has its evidence: in the instance's own dict, so that schema, dumps and equality stay as they were."""


class NotInText:
    """A mark for a field whose value is not in the text: a summary, a category, a judgement.

    Such a field has no evidence, and `ground="require"` does not ask for it.

    Example:
        >>> class Review(BaseModel):
        ...     product: str
        ...     summary: Annotated[str, NotInText]
    """


@dataclass(frozen=True, slots=True)
class Source:
    """A text of the user's."""

    message: int
    """The index of the message."""
    part: int
    """The index of the part of the message's content; 0 if the content is a text."""
    page: int | None
    """The page, from 1, if the text has pages: they are separated by form feeds."""
    text: str = field(repr=False)
    """The whole text of the part."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a source: `source.text[start:end]` is the evidence. Offsets count code points of the original text."""

    start: int
    end: int
    source: Source
    status: str
    """How it was found: "exact", "normalised:<rule>" or "fuzzy"."""

    @property
    def text(self) -> str:
        """The text of the span."""
        return self.source.text[self.start : self.end]

    def utf16(self) -> tuple[int, int]:
        """Return start and end in UTF-16 code units, as JavaScript counts."""
        text = self.source.text
        before = self.start + sum(character > "\uffff" for character in text[: self.start])
        return before, before + len(self.text) + sum(character > "\uffff" for character in self.text)

    def to_dict(self) -> dict[str, Any]:
        """Return the span as JSON-able values, without the text of its source."""
        source = self.source
        return {
            "start": self.start, "end": self.end, "text": self.text, "status": self.status,
            "message": source.message, "part": source.part, "page": source.page,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where in the user's text an item comes from. Paths of fields are such as "name", "address.city", "tags.0"."""

    item: Span | None
    """From the first to the last of the item's fields that stand together; None if no place is the item's own."""
    fields: Mapping[str, tuple[Span, ...]]
    """For each path the item's own place first, then others near it. Only paths whose value was found."""
    status: Mapping[str, str]
    """For each path "exact", "normalised:<rule>", "fuzzy", "none" or "unavailable": perhaps it is in a picture."""
    provisional: bool = False
    """Whether the list is still open: later items may move the spans."""

    def to_dict(self) -> dict[str, Any]:
        """Return the evidence as JSON-able values, without the texts of its sources."""
        return {
            "item": None if self.item is None else self.item.to_dict(),
            "fields": {path: [span.to_dict() for span in spans] for path, spans in self.fields.items()},
            "status": dict(self.status),
            "provisional": self.provisional,
        }


class Finds(Protocol):
    """What finds evidence when it is asked for."""

    def evidence_of(self, index: int) -> Evidence: ...


class Held:
    """What an item has of its evidence: where to ask, until it is final."""

    __slots__ = ("_evidence", "_finds", "_index")

    def __init__(self, finds: Finds, index: int) -> None:
        self._finds, self._index = finds, index
        self._evidence: Evidence | None = None

    @property
    def evidence(self) -> Evidence:
        return self._finds.evidence_of(self._index) if self._evidence is None else self._evidence

    def settle(self, evidence: Evidence) -> None:
        """Keep the final evidence, and forget how it was found."""
        self._evidence = evidence
        del self._finds

    def __reduce__(self) -> tuple[Any, ...]:
        return _held, (self.evidence,)


def _held(evidence: Evidence) -> Held:
    """Return a copy's evidence: it stays as it was when the copy was made."""
    held = Held.__new__(Held)
    held._evidence = evidence
    return held


class EvidenceList(Sequence[Evidence]):
    """The evidence of the items of a list or a stream, by the index in which they came. It grows with the stream."""

    def __init__(self, held: Sequence[Held]) -> None:
        self._held = held

    def __len__(self) -> int:
        return len(self._held)

    @overload
    def __getitem__(self, index: int) -> Evidence: ...
    @overload
    def __getitem__(self, index: slice) -> EvidenceList: ...
    def __getitem__(self, index: int | slice) -> Evidence | EvidenceList:
        if isinstance(index, slice):
            return EvidenceList(self._held[index])
        return self._held[index].evidence

    def __iter__(self) -> Iterator[Evidence]:
        return (held.evidence for held in self._held)


def evidence(item: object) -> Evidence:
    """Return where in the user's text an item comes from.

    It is looked for when it is first asked for, so ask before you change the item.

    Args:
        item: A model or a dataclass that a call with `ground=True` returned, or an item of its list or stream.

    Raises:
        ConfigurationError: The call did not ask for evidence, or the item cannot carry it: a number, a text, a dict.
            The evidence of these is `stream.evidence[i]` and `items.evidence[i]`.

    Example:
        >>> user = client.create(User, messages, ground=True)
        >>> place, *others = evidence(user).fields["name"]
        >>> place.text
        'Jason Liu'
    """
    held = vars(item).get(ATTRIBUTE) if hasattr(item, "__dict__") and not isinstance(item, type) else None
    if isinstance(held, Held):
        return held.evidence
    shown = f"{type(item).__name__} {str(item)[:80]!r}"
    if hasattr(item, "model_fields_set") or dataclasses.is_dataclass(item):
        raise ConfigurationError(
            f"{shown} has no evidence: it must be a complete item, as a call with ground=True returned it. Items that "
            "cannot carry it (slots, revalidate_instances) have it by index: stream.evidence[i] or items.evidence[i]."
        )
    if hasattr(item, "evidence"):
        raise ConfigurationError(f"{shown} is a list or a stream, not an item: use .evidence[i], or evidence(item).")
    raise ConfigurationError(
        f"{shown} cannot carry its evidence: take it by the index of the item, stream.evidence[i] or items.evidence[i]."
    )
