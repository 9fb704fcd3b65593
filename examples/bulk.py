"""People out of a hundred texts, into a table: it can be interrupted, and goes on where it was.

It runs on the embedded model, which needs no key. With MODEL=openai/gpt-4o-mini and OPENAI_API_KEY set it runs on
OpenAI. Stop it with Ctrl-C, or kill it, and start it again.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

import instructor
from instructor.bulk import Limits

HERE = Path(__file__).parent
MODEL = os.environ.get("MODEL", "local")
STORE = os.environ.get("STORE", "people.sqlite")


class Person(BaseModel):
    name: str
    age: int


def main() -> None:
    client = instructor.from_provider(MODEL)
    with client.map(
        HERE / "texts",
        response_model=Iterable[Person],
        store=STORE,
        limits=Limits(concurrency=4),
        limit=int(os.environ.get("LIMIT", "100")),
    ) as run:
        try:
            for row in run:
                known = "known" if row.reused else f"{row.attempts} request{'' if row.attempts == 1 else 's'}"
                print(f"{row.key}  {row.value or row.error}  ({known})", flush=True)
        except KeyboardInterrupt:
            print(f"Interrupted after {run.report.rows} rows. Start it again, and it goes on after them.")
            return
    done = run.store.export("people.jsonl", explode=True) if run.store else None
    print(f"{run.report.ok} texts, {run.report.items} people, {run.report.reused} were in the store. {done}")


if __name__ == "__main__":
    main()
