"""Jinja templates in messages, rendered with the call's context. Without a context no text is touched.

A text is a template if it is valid Jinja and uses a name of the context; a misspelled name counts as used. A text
that uses no name at all is one if it computes something (`{{ 6 * 7 }}`). Every other text is sent unchanged: a context
may be there for the validators alone, and braces in the user's text are then text. In a template, an undefined name is
an error that names it, and `{# ... #}` is text, not a comment: nothing the user wrote is left out in silence. A
template can read the objects of the context, but not change them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping, MutableMapping, MutableSequence, MutableSet, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from instructor import _compat
from instructor.core.types import Message
from instructor.exceptions import ConfigurationError

_OPENING = re.compile(r"\{\{|\{%")
_BRACED = re.compile(r"\{[{%]([^}\n]{0,80})")
_NAME = re.compile(r"(?<![\w.'\"])[^\W\d]\w*")
"""The names in the expressions and tags of a text that is not valid Jinja: near enough, and in linear time."""
_ELSEWHERE: tuple[type[nodes.Stmt], ...] = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)
_LIKENESS = 0.75
"""How similar a name of the context and a misspelled one must be."""
_NO_COMMENT = ("\0{#", "#}\0")
"""Marks that no text holds, so that there are no comments: `{#` is common in Markdown, LaTeX and other templates."""
_CONTAINERS = (MutableMapping, MutableSequence, MutableSet, deque)
_CHANGING = {
    *("add", "append", "appendleft", "byteswap", "clear", "difference_update", "discard", "extend", "extendleft"),
    *("fill", "frombytes", "fromlist", "insert", "intersection_update", "move_to_end", "pop", "popitem", "popleft"),
    *("put", "remove", "resize", "reverse", "rotate", "setdefault", "sort", "subtract"),
    *("symmetric_difference_update", "update"),
}
"""Methods that change a container, under the names that the standard library and its followers have for them."""


class _Undefined(StrictUndefined):
    """Fails with the name of the attribute that is not there, and the one that may be meant."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        message, name = super()._undefined_message, self._undefined_name
        is_attribute = isinstance(name, str) and self._undefined_obj is not missing and not self._undefined_hint
        return f"{message}.{_hint(str(name), _names_of(self._undefined_obj))}" if is_attribute else f"{message}."


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which containers cannot be changed: those of the user's own classes, too."""

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        kind = obj if isinstance(obj, type) else type(obj)  # `dict` is a name of Jinja's, and dict.clear a function
        changes = attr in _CHANGING and (issubclass(kind, _CONTAINERS) or hasattr(kind, "__setitem__"))
        return not changes and super().is_safe_attribute(obj, attr, value)


_environment = _Environment(
    keep_trailing_newline=True,
    undefined=_Undefined,
    optimized=False,  # a text is parsed before it is known to be a template: nothing in it is computed by that
    comment_start_string=_NO_COMMENT[0],
    comment_end_string=_NO_COMMENT[1],
)
_compiled = lru_cache(maxsize=256)(_environment.from_string)


class _Read(NamedTuple):
    """What a text is, as far as that is known without a context."""

    names: frozenset[str]
    computes: bool
    error: str = ""
    """Why it is not valid Jinja."""


@lru_cache(maxsize=256)
def _read(text: str) -> _Read:
    try:
        tree = _environment.parse(text)
        if any(tree.find(kind) is not None for kind in _ELSEWHERE):
            raise TemplateSyntaxError("there are no other templates to take from", 1)
        names = frozenset(meta.find_undeclared_variables(tree)).difference(_environment.globals)
        return _Read(names, _computes(tree))
    except (TemplateSyntaxError, RecursionError) as error:
        found = frozenset(name for part in _BRACED.findall(text) for name in _NAME.findall(part))
        return _Read(found, computes=False, error=str(error))


def _computes(tree: nodes.Template) -> bool:
    """Return whether there is more in it than text and constants: `\\frac{{1}}{{2}}` is not a template."""
    return any(
        not isinstance(node, (nodes.Output, nodes.TemplateData, nodes.Const)) for node in tree.find_all(nodes.Node)
    )


def render(messages: Sequence[Message], context: Mapping[str, Any] | None) -> Sequence[Message]:
    """Return messages with rendered text. The original messages are not changed."""
    if not context:
        return messages
    known = {str(name): value for name, value in context.items()}
    return [_message(message, known) for message in messages]


def _message(message: Message, context: Mapping[str, Any]) -> Message:
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": _text(content, context)}
    if isinstance(content, (list, tuple)):
        return {**message, "content": [_part(part, context) for part in content]}
    return message


def _part(part: Any, context: Mapping[str, Any]) -> Any:
    if isinstance(part, str):
        return _text(part, context)
    if isinstance(part, Mapping) and isinstance(part.get("text"), str):
        return {**part, "text": _text(part["text"], context)}
    return part


def _text(text: str, context: Mapping[str, Any]) -> str:
    if not _OPENING.search(text):
        return text
    read = _read(text)
    uses = any(name in context or _closest(name, context) for name in read.names)
    if not uses and (read.names or not read.computes):
        return text
    if read.error:
        raise _unrenderable(text, f"{read.error}.")
    try:
        return _compiled(text).render(context)
    except UndefinedError as error:
        unknown = next((name for name in sorted(read.names) if str(error) == f"{name!r} is undefined."), None)
        known = "" if unknown is None else f" The context has {_listed(context)}.{_hint(unknown, context)}"
        raise _unrenderable(text, f"{error}{known}") from error
    except Exception as error:  # also what an expression in it raises: no request is made of half a prompt
        raise _unrenderable(text, f"{error}.") from error


def _unrenderable(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The template {text[:80]!r} cannot be rendered: {why.rstrip('.')}. "
        "If the braces are part of the text, pass the text in the context and write {{ text }} in its place."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _closest(name: str, known: Iterable[str]) -> str | None:
    spelled = {each.lower(): each for each in known}
    found = get_close_matches(name.lower(), spelled, n=1, cutoff=_LIKENESS)
    return spelled[found[0]] if found else None


def _hint(name: str, known: Iterable[str]) -> str:
    found = _closest(name, known)
    return "" if found is None else f" Did you mean {found!r}?"


def _names_of(value: Any) -> Iterable[str]:
    """List the keys or the attributes that a template can read."""
    names: Iterable[Any] = value if isinstance(value, Mapping) else getattr(value, "__dict__", ())
    return [name for name in names if isinstance(name, str) and not name.startswith("_")]


if not TYPE_CHECKING:  # a checker would take every name for one of this module

    def __getattr__(name: str) -> Any:
        return _compat.older(__name__, name)
