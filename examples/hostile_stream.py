"""A thousand people in a stream that goes wrong in every way, and nobody is lost: run me, no key or network is needed.

The provider is scripted, on loopback, and answers as a model would: it reads what it is asked. Its first reply has
prose with brackets before the list, two tool calls whose pieces take turns, and people who are not valid. Two replies
are cut at the length limit, a third loses its connection, and each continuation begins by repeating a person.
"""

from __future__ import annotations

import json
import re

import openai
from pydantic import BaseModel

import instructor
from instructor.testing import Asked, Reply, Scripted, content, tools

PROSE = "I found people on [page 1], {most} of them [sic] here:\n"
NUMBERS = range(1000, 2000)
INVALID = {1007, 1423, 1998}
BREAKS: list[dict[str, object]] = [
    {"finish": "length", "cut_after": 4000},
    {"finish": "length", "cut_after": 3000},
    {"drop_after": 1500},
]


class Person(BaseModel):
    id: int
    name: str


def written(number: int, *, valid: bool = True) -> str:
    return f'{{"id": {number if valid else "null"}, "name": "Person {number}"}}'


def provider(asked: Asked) -> Reply:
    """Answer a request: with the list, with how it goes on after what is shown, or with the items to correct."""
    by_tool = bool(asked.body.get("tools"))
    faults = BREAKS[asked.number - 1] if asked.number <= len(BREAKS) else {}
    *_, said, notes = ({}, *asked.messages)
    shown = json.dumps(said) if said.get("role") == "assistant" else ""
    known = [int(number) for number in re.findall(r"Person (\d+)", shown)]
    if "not valid" in notes["content"]:
        items = [written(number) for number in known]
    else:
        begin = known[-1] if known else NUMBERS[0]  # the last one again: a repeat at the seam
        items = [written(number, valid=number not in INVALID) for number in NUMBERS if number >= begin]
    if not by_tool:
        return content(f'{PROSE}```json\n{{"tasks": [{", ".join(items)}]}}\n```', **faults)  # type: ignore[arg-type]
    calls = [f'{{"tasks": [{", ".join(half)}]}}' for half in (items[::2], items[1::2])]
    return tools(*calls, text=PROSE, interleave=True, **faults)  # type: ignore[arg-type]


def main() -> None:
    with Scripted(provider) as server, openai.OpenAI(base_url=server.base_url, api_key="none") as sdk:
        client = instructor.from_openai(sdk)
        client.on("item:bad", lambda index, text, _: print(f"wrong     item {index}: {text}"))
        client.on("stream:continue", lambda report: print(f"broken    after {report.good} good ones: goes on"))
        people = client.create_iterable(
            [{"role": "user", "content": "List all the people."}], Person, model="any", max_retries=5
        )
        ids = [person.id for person in people]
        report = people.report
    assert sorted(ids) == list(NUMBERS)
    print(f"delivered {len(ids)} people, each once; {report.repaired} were asked for again and came right")
    print(f"requests  {report.attempts}, of which {report.continuations} continuations")
    print(f"repeats   {report.dropped_repeats} dropped at the seams")
    for cause, usage in report.usage.by_cause.items():
        print(f"tokens    {usage.total_tokens} for the {cause}{'' if usage.exact else ' (estimated)'}")


if __name__ == "__main__":
    main()
