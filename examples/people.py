"""Typed people out of a text: as a list, streamed, and streamed with `async for`.

It runs on the embedded model, which needs no key: `make run`. With MODEL=openai/gpt-4o-mini and OPENAI_API_KEY set it
runs on OpenAI, or on any other provider, unchanged. The text is read paragraph by paragraph.
"""

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, Field

import instructor

MODEL = os.environ.get("MODEL", "local")
PARAGRAPHS = Path(__file__).with_name("people.txt").read_text("utf-8").strip().split("\n\n")


class Person(BaseModel):
    name: str
    age: int = Field(ge=0, le=150)


class Totals:
    """What the streams' reports add up to."""

    def __init__(self) -> None:
        self.items = self.tokens = 0
        self.seconds = 0.0
        self.first: list[float] = []

    def add(self, report: instructor.Report) -> None:
        self.items += report.good
        self.tokens += report.usage.output_tokens
        self.seconds += report.duration
        self.first += [] if report.time_to_first_item is None else [report.time_to_first_item]

    def __str__(self) -> str:
        return (
            f"{self.items} items, {self.tokens} tokens, {self.tokens / self.seconds:.0f} tokens/s, "
            f"first item after {min(self.first):.2f} s"
        )


def asked(paragraph: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": paragraph}]


def lists(client: instructor.Instructor) -> None:
    print("A list for each paragraph:")
    for paragraph in PARAGRAPHS:
        people = client.create(response_model=Iterable[Person], messages=asked(paragraph))
        print(f"  {people}")


def streamed(client: instructor.Instructor) -> Totals:
    print("Streamed, each person as the closing bracket arrives:")
    totals, start = Totals(), time.perf_counter()
    for paragraph in PARAGRAPHS:
        people = client.create_iterable(response_model=Person, messages=asked(paragraph))
        for person in people:
            print(f"  {time.perf_counter() - start:5.2f} s  {person!r}", flush=True)
        totals.add(people.report)
    return totals


async def awaited(client: instructor.AsyncInstructor) -> Totals:
    print("With async for:")
    totals, start = Totals(), time.perf_counter()
    for paragraph in PARAGRAPHS:
        people = client.create_iterable(response_model=Person, messages=asked(paragraph))
        async for person in people:
            print(f"  {time.perf_counter() - start:5.2f} s  {person!r}", flush=True)
        totals.add(people.report)
    return totals


def main() -> None:
    client = instructor.from_provider(MODEL)
    lists(client)
    blocking = streamed(client)
    awaiting = asyncio.run(awaited(instructor.from_provider(MODEL, async_client=True)))
    print(f"Streamed: {blocking}\nAwaited:  {awaiting}")


if __name__ == "__main__":
    main()
