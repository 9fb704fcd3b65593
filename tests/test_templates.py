"""Which texts are templates, what a template may do, and that no text is lost."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from harness import Harness
from instructor import Mode
from instructor.exceptions import ConfigurationError
from instructor.templating import render
from instructor.testing import answer


class Item(BaseModel):
    name: str
    tags: list[str] = []


async def sent(harness: Harness, scripted_server: Any, text: str, context: Any) -> str:
    """Give the user's text as it is in the request, whole and streamed."""
    server = scripted_server([answer({"name": "a"}), answer({"name": "a"}), answer({"content": 5})])
    client = harness.client(server)
    messages = [{"role": "user", "content": text}]
    await harness.create(client, Item, messages=messages, context=context)
    await harness.items(client.create_partial(Item, messages, model="m", context=context))
    await harness.create(
        client, int, messages=[{"role": "user", "content": [{"type": "text", "text": text}]}], context=context
    )
    one, two, parts = (request.messages[-1]["content"] for request in server.requests)
    assert one == two == parts[0]["text"]
    return str(one)


NOT_OURS = [
    "<p>{{ title }}</p>",
    "{# a comment #} of a template",
    "# Heading {#anchor}",
    "{% raw",
    "{% raw %}{{ x }}{% endraw %}",
    "run: echo ${{ matrix.os }}",
    r"\frac{{1}}{{2}} and \textbf{{bold",
    '{"a": {"b": 1}}',
    'Answer as {{"name": "..."}}',
    "{{#items}}<b>{{label}}</b>{{/items}}{{{html}}}{{> partial}}",
    "{% extends 'base.html' %}{% block body %}{{ super() }}{% endblock %}",
    "{% include 'footer.html' %}",
    "{% load static %}{% url 'home' %}",
    "{{}}",
    "{{ }} {{",
    "{%",
    "}} %} #}",
    "const s = `${{a: 1}}`",
]


@pytest.mark.parametrize("text", NOT_OURS)
async def test_a_context_for_validators_makes_no_templates(harness: Harness, scripted_server: Any, text: str) -> None:
    assert await sent(harness, scripted_server, text, {"limit": 3, "allowed": ["a"]}) == text


@pytest.mark.parametrize(
    ("text", "context", "named"),
    [
        ("Sum up: {{ documnet }}", {"document": "long"}, ["'documnet'", "'document'", "Did you mean 'document'?"]),
        ("{{ Document }}", {"document": "long"}, ["'Document'", "Did you mean 'document'?"]),
        ("{{ document }} {{ question }}", {"document": "x", "n": 1}, ["'question'", "'document', 'n'"]),
        ("{% for d in documnets %}{{ d }}{% endfor %}", {"documents": []}, ["'documnets'", "'documents'"]),
        ("{% if documnet %}a{% endif %}", {"document": ""}, ["'documnet'"]),
        ("{{ user.nmae }}", {"user": {"name": "Ann"}}, ["'nmae'", "Did you mean 'name'?"]),
        ("{{ user.nmae }}", {"user": Item(name="Ann")}, ["'nmae'", "Did you mean 'name'?"]),
        ("{{ user['x'].y }}", {"user": {"name": "Ann"}}, ["'x'"]),
        ("{{ names[7] }}", {"names": ["a"]}, ["7"]),
        ("{% for u in users %}{{ u.agee }}{% endfor %}", {"users": [{"age": 1}]}, ["'agee'", "'age'"]),
        ("{{ document | upper }}{{ titel | upper }}", {"document": "x", "title": "y"}, ["'titel'", "'title'"]),
        ("{{ document }} {% raw", {"document": "x"}, ["cannot be rendered"]),
        ('As {{"a": 1}}: {{ document }}', {"document": "x"}, ["cannot be rendered"]),
        ("{{ documnet ", {"document": "x"}, ["cannot be rendered"]),
        ("{% for d in documents %}x", {"documents": []}, ["cannot be rendered"]),
    ],
)
async def test_an_undefined_name_is_an_error_that_names_it(
    harness: Harness, scripted_server: Any, text: str, context: Any, named: list[str]
) -> None:
    server = scripted_server()
    with pytest.raises(ConfigurationError) as raised:
        await harness.create(
            harness.client(server), Item, messages=[{"role": "user", "content": text}], context=context
        )
    for name in named:
        assert name in str(raised.value)
    assert server.requests == []


@pytest.mark.parametrize(
    ("text", "context", "becomes"),
    [
        ("{# note #} {{ a }} {#id}", {"a": 1}, "{# note #} 1 {#id}"),
        ("costs ${{ a }}", {"a": 1}, "costs $1"),
        ("{% raw %}{{ a }}{% endraw %} {{ a }}", {"a": 1}, "{{ a }} 1"),
        ("{{ a }}", {"a": "{{ b }} {# c #}"}, "{{ b }} {# c #}"),
        ("{{ a }} {{ b | default('none') }}", {"a": 1}, "1 none"),
        ("{% if b is defined %}{{ b }}{% endif %}{{ a }}", {"a": 1}, "1"),
        ("{% if a %}x{% else %}{{ b }}{% endif %}", {"a": 1}, "x"),
        ("{{ user.nick or user.name }}", {"user": {"name": "Ann", "nick": None}}, "Ann"),
        ("{{ 6 * 7 }}", {"a": 1}, "42"),
        ("{% for i in range(n) %}{{ i }}{% endfor %}", {"n": 3}, "012"),
        ("{{ 1 }} {{ a }}", {"a": 1}, "1 1"),
        ("{{ names | sort | join(',') }}", {"names": ["b", "a"]}, "a,b"),
        ("{{ user.model_dump_json() }}", {"user": Item(name="A")}, '{"name":"A","tags":[]}'),
        ("{{ d.items() | list }} {{ d.update }}", {"d": SimpleNamespace(items=dict, update=7)}, "[] 7"),
    ],
)
async def test_a_template_is_rendered(
    harness: Harness, scripted_server: Any, text: str, context: Any, becomes: str
) -> None:
    assert await sent(harness, scripted_server, text, context) == becomes


class Shelf(dict[str, int]):
    pass


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ v.clear() }}", [1]),
        ("{{ v.append(2) }}", [1]),
        ("{{ v.sort() }}", [2, 1]),
        ("{{ v | attr('clear') }}{{ (v | attr('clear'))() }}", [1]),
        ("{{ v['pop']() }}", [1]),
        ("{% set f = v.clear %}{{ f() }}", [1]),
        (
            "{{ [v] | map('attr', 'clear') | list }}{% for c in [v] | map(attribute='clear') %}{{ c() }}{% endfor %}",
            [1],
        ),
        ("{{ v.update(b=2) }}", {"a": 1}),
        ("{{ dict.update(v, b=2) }}", {"a": 1}),
        ("{{ dict.clear(v) }}", {"a": 1}),
        ("{{ v.setdefault('b', 2) }}", Shelf(a=1)),
        ("{{ v.subtract(['a']) }}", Counter("ab")),
        ("{{ v.move_to_end('a') }}", OrderedDict(a=1, b=2)),
        ("{{ v.add(2) }}", {1}),
        ("{{ v.intersection_update([]) }}", {1}),
        ("{{ v.appendleft(2) }}", deque([1])),
        ("{{ v.extend(b'x') }}", bytearray(b"a")),
        ("{{ v.tags.append('x') }}", Item(name="a")),
        ("{% do v.append(1) %}", [1]),
        ("{% set v.name = 'b' %}", Item(name="a")),
        ("{{ v.__setattr__('name', 'b') }}", Item(name="a")),
        ("{{ v.__dict__.update(name='b') }}", SimpleNamespace(name="a")),
    ],
)
def test_a_template_cannot_change_the_context(text: str, value: Any) -> None:
    before = repr(value)
    with pytest.raises(ConfigurationError, match="cannot be rendered"):
        render([{"role": "user", "content": text}], {"v": value})
    assert repr(value) == before


async def test_untyped_calls_too(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server()
    with pytest.raises(ConfigurationError, match="'documnet' is undefined"):
        await harness.create(
            harness.client(server), None, messages=[{"role": "user", "content": "{{ documnet }}"}],
            context={"document": 1},
        )  # fmt: skip
    assert server.requests == []


async def test_other_modes_too(harness: Harness, scripted_server: Any) -> None:
    server = scripted_server([answer({"name": "a"})])
    messages = [{"role": "system", "content": "<b>{{ x }}</b>"}, {"role": "user", "content": "{{ document }}"}]
    await harness.create(harness.client(server, Mode.MD_JSON), Item, messages=messages, context={"document": "D"})
    assert "<b>{{ x }}</b>" in server.requests[0].messages[0]["content"]
    assert "D" in server.requests[0].messages[-1]["content"]
