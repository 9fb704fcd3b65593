"""How well the embedded model reads people out of plain sentences: thirty prompts, counted.

Run it with `python examples/local_quality.py`, `-v` to see what went wrong. A run is *exact* when the list is what a
reader would write down, in the order of the text, and *finished* when the model closed the list by itself. None of
the texts is among the worked examples that the model is shown; the wording of those was chosen by these and by thirty
harder prompts. Then prompts that ask for a number of people to be made up: is it that number?
"""

import sys
import time

from pydantic import BaseModel

import instructor


class Person(BaseModel):
    name: str
    age: int


TEXTS = {
    "Jason is 10 and John is 10": [("Jason", 10), ("John", 10)],
    "Jason is 10 and John is 30": [("Jason", 10), ("John", 30)],
    "Emily is 25 years old.": [("Emily", 25)],
    "My name is Carlos and I am 42 years old.": [("Carlos", 42)],
    "Alice is 30, Bob is 35 and Carol is 40.": [("Alice", 30), ("Bob", 35), ("Carol", 40)],
    "Mia turned 8 in May.": [("Mia", 8)],
    "Sam is 51 years old. His wife Julia is 47.": [("Sam", 51), ("Julia", 47)],
    "Leo (19) and Nadia (23) share a flat.": [("Leo", 19), ("Nadia", 23)],
    "Frank is 66, Gina is 64, Harry is 33 and Ivy is 31.": [("Frank", 66), ("Gina", 64), ("Harry", 33), ("Ivy", 31)],
    "The captain, Robert, is 39 and his mate Steve is 28.": [("Robert", 39), ("Steve", 28)],
}
FRAMES = ("{}", "Extract `{}`", "Extract all the people: {}")
COUNTS = {
    "Make two up people": 2,
    "Make up two people.": 2,
    "Invent three people.": 3,
    "Create 5 fake users": 5,
    "Give me a list of four characters": 4,
    "Make up three people and their ages": 3,
    "Generate six people, each with a name and an age": 6,
    "Think of 10 people": 10,
}
SEGMENT = "Consider this data: {}. Correctly segment it into entitites Make sure the JSON is correct"


def prompts() -> list[tuple[str, list[tuple[str, int]]]]:
    """Put each text into each frame; one bare text is asked for in a longer way."""
    made = [(frame.format(text), people) for text, people in TEXTS.items() for frame in FRAMES]
    return [(SEGMENT.format(prompt) if prompt == "Jason is 10 and John is 30" else prompt, p) for prompt, p in made]


def main() -> int:
    client = instructor.from_provider("local")
    exact = finished = 0
    started = time.perf_counter()
    asked = prompts()
    for prompt, people in asked:
        stream = client.create_iterable(
            response_model=Person,
            messages=[{"role": "user", "content": prompt}],
            max_retries=0,
        )
        found: list[tuple[str, int]] = []
        try:
            found.extend((person.name, person.age) for person in stream)
            finished += stream.report.complete
        except instructor.exceptions.IncompleteOutputException:
            found.append(("...", 0))
        exact += found == people
        if "-v" in sys.argv and found != people:
            print(f"{prompt}\n    {found}")
    counted = different = 0
    for prompt, count in COUNTS.items():
        people = client.create(list[Person], messages=[{"role": "user", "content": prompt}], max_retries=0)
        counted += len(people) == count
        different += len({person.name for person in people}) == count
        if "-v" in sys.argv:
            print(f"{prompt}\n    {[(person.name, person.age) for person in people]}")
    seconds = time.perf_counter() - started
    print(f"{exact} of {len(asked)} exact, {finished} finished, {seconds:.0f} s")
    print(f"{counted} of {len(COUNTS)} with the number that was asked for, {different} with different names")
    return 0 if finished == len(asked) and exact >= 22 and counted == len(COUNTS) else 1


if __name__ == "__main__":
    sys.exit(main())
