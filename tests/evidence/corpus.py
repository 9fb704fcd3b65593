"""A labelled corpus: texts of many kinds, what stands in them and where, and what a model might answer.

Each text is written piece by piece, so that the place of every value is known. The answers have the faults of models:
values that are not in the text, digits that differ, values that belong to another item.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel


class Person(BaseModel):
    name: str
    age: int
    city: str


class Patient(BaseModel):
    name: str
    drug: str
    dose: str
    since: dt.date


class Sale(BaseModel):
    what: str
    count: int
    price: float


class Payment(BaseModel):
    day: dt.date
    amount: float
    to: str


class Member(BaseModel):
    name: str
    year: int


class Note(BaseModel):
    title: str
    finding: str


Place = tuple[int, int]


@dataclass
class Document:
    """A text with its items, the places of their values, and an answer with faults."""

    kind: str
    model: type[BaseModel]
    text: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    places: list[dict[str, list[Place]]] = field(default_factory=list)
    answer: list[dict[str, Any]] = field(default_factory=list)
    right: list[dict[str, bool]] = field(default_factory=list)
    """For each value of the answer whether it is the text's."""
    borrowed: list[set[str]] = field(default_factory=list)
    """The values of the answer that are another item's."""
    of: list[int] = field(default_factory=list)
    """For each item of the answer the index of the text's."""

    def write(self, *pieces: str | tuple[str, Any, str]) -> None:
        """Append an item: texts, and values as name, value and how it is written."""
        item: dict[str, Any] = {}
        places: dict[str, list[Place]] = {}
        for piece in pieces:
            if isinstance(piece, tuple):
                name, item[name], written = piece[0], piece[1], piece[2]
                places.setdefault(name, []).append((len(self.text), len(self.text) + len(written)))
                self.text += written
            else:
                self.text += piece
        self.items.append(item)
        self.places.append(places)


FIRST = "Anna Bob Carla David Eva Farid Grace Hugo Ines Jonas Karim Lena Mia Noah Olga Paul Rosa Tom".split()  # noqa: SIM905
LAST = "Smith Lee Moreau Fischer Okafor Novak Rossi Tanaka Silva Berg Haddad O'Brien Weiß Núñez".split()  # noqa: SIM905
CITIES = "Paris Berlin Toronto Lagos Osaka Lisbon Oslo Prague Zürich Cairo".split()  # noqa: SIM905
DRUGS = "ibuprofen metformin amoxicillin lisinopril warfarin prednisone".split()  # noqa: SIM905
WARES = ["office chair", "desk lamp", "paper, A4", "USB-C cable", "coffee beans", "whiteboard", "ink (black)"]
FILLERS = [
    "The weather had been poor all week.", "Nobody objected.", "A second round of talks is planned.",
    "The house has 12 rooms and 3 doors.", "See the annex for details.", "Coffee was served at 10:30.", "",
]  # fmt: skip
WORDS = {7: "seven", 12: "twelve", 20: "twenty", 21: "twenty-one", 30: "thirty", 45: "forty-five", 60: "sixty"}
MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
NAMES = {
    "zh": (["李明", "王小红", "张伟", "陈静", "刘洋"], ["北京", "上海", "广州", "成都"]),
    "ko": (["김민수", "이서연", "박지훈", "최유진"], ["서울", "부산", "대구"]),
    "vi": (["Nguyễn Văn An", "Trần Thị Bình", "Lê Minh Đức", "Phạm Thu Hà"], ["Hà Nội", "Đà Nẵng", "Huế"]),
    "ar": (["محمد علي", "فاطمة حسن", "عمر خالد", "ليلى سعيد"], ["القاهرة", "بيروت", "دمشق"]),
}


class Writer:
    """Writes the documents of a corpus."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def name(self) -> str:
        return f"{self.chance.choice(FIRST)} {self.chance.choice(LAST)}"

    def names(self, count: int, *, twice: bool = False) -> list[str]:
        found = list({self.name(): None for _ in range(count * 3)})[:count]
        if twice and count > 2:
            found[self.chance.randrange(2, count)] = found[0]
        return found

    def written_name(self, name: str) -> str:
        forms = [name] * 8 + [name.replace(" ", "  "), name.replace(" ", "\n"), name.upper(), name.replace("'", "’")]
        return self.chance.choice(forms)

    def number(self, value: int) -> str:
        forms = [str(value)] * 5 + ([WORDS[value]] if value in WORDS else []) + [str(value).translate(_WIDE)]
        return self.chance.choice(forms)

    def date(self) -> tuple[dt.date, str]:
        day = dt.date(self.chance.randint(1995, 2025), self.chance.randint(1, 12), self.chance.randint(1, 28))
        month = MONTHS[day.month - 1]
        forms = [
            day.isoformat(), f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}",
            f"{day.day:02}/{day.month:02}/{day.year}", f"{day.day}.{day.month}.{day.year}",
            f"{day.day} {month[:3]} {day.year}",
        ]  # fmt: skip
        return day, self.chance.choice(forms)

    def money(self) -> tuple[float, str]:
        value = self.chance.choice([self.chance.randint(1, 99) / 4, self.chance.randint(100, 9999) + 0.5])
        plain = f"{value:,.2f}"
        german = plain.translate(str.maketrans(",.", ".,"))
        return value, self.chance.choice([plain, plain, german, f"{value:.2f}"])

    def filler(self) -> str:
        return self.chance.choice(FILLERS)

    def prose(self, twice: bool) -> Document:
        made = Document("prose, a name twice" if twice else "prose", Person)
        for name in self.names(self.chance.randint(3, 7), twice=twice):
            age, city = self.chance.choice([*WORDS, 33, 41, 58]), self.chance.choice(CITIES)
            who, old, where = (
                ("name", name, self.written_name(name)),
                ("age", age, self.number(age)),
                ("city", city, city),
            )
            forms: list[tuple[Any, ...]] = [
                ("We met ", who, " (", old, ") in ", where, ". "), (who, ", aged ", old, ", lives in ", where, ". "),
                ("From ", where, " came ", who, ", who is ", old, ". "), ("At ", old, ", ", who, " left ", where, ". "),
            ]  # fmt: skip
            made.write(*self.chance.choice(forms), self.filler(), " ")
        return made

    def table(self) -> Document:
        made = Document("table", Person, "| name | age | city |\n|---|---|---|\n")
        for name in self.names(self.chance.randint(4, 12)):
            age, city = self.chance.randint(7, 90), self.chance.choice(CITIES)
            made.write("| ", ("name", name, name), " | ", ("age", age, str(age)), " | ", ("city", city, city), " |\n")
        return made

    def cards(self) -> Document:
        made = Document("cards", Person)
        for name in self.names(self.chance.randint(2, 6)):
            age, city = self.chance.randint(7, 90), self.chance.choice(CITIES)
            made.write(
                "Name: ",
                ("name", name, name),
                "\nAge: ",
                ("age", age, str(age)),
                "\nCity: ",
                ("city", city, city),
                "\n\n",
            )
        return made

    def clinical(self) -> Document:
        made = Document("clinical", Patient)
        for name in self.names(self.chance.randint(2, 6)):
            drug, dose = self.chance.choice(DRUGS), self.chance.choice([5, 10, 50, 250, 350, 500])
            day, written = self.date()
            strength = self.chance.choice([f"{dose} mg", f"{dose}mg", f"{dose} mg"])
            made.write(
                "Patient ", ("name", name, self.written_name(name)), " has no history of stroke and takes ",
                ("dose", f"{dose} mg", strength), " of ", ("drug", drug, drug), " since ",
                ("since", day, written), ". ", self.filler(), "\n",
            )  # fmt: skip
        return made

    def sales(self) -> Document:
        made = Document("sales", Sale, "INVOICE 2024-117\nAll prices in EUR.\n")
        for what in self.chance.sample(WARES, self.chance.randint(3, 6)):
            count, (price, written) = self.chance.randint(1, 40), self.money()
            made.write(
                ("count", count, str(count)), " x ", ("what", what, what), " at ", ("price", price, written), "\n"
            )
        made.text += "Thank you!"
        return made

    def statement(self) -> Document:
        made = Document("statement", Payment, "Date  Payee  Amount\n")
        for name in self.names(self.chance.randint(3, 9)):
            (day, date), (amount, written) = self.date(), self.money()
            made.write(("day", day, date), "  ", ("to", name, name), "  ", ("amount", amount, written), "\n")
        return made

    def headings(self) -> Document:
        made = Document("headings", Member)
        names = self.names(9)
        for start, year in ((0, 2019), (3, 2020), (6, 2021)):
            made.text += f"Joined in {year}: "
            place = (len(made.text) - 6, len(made.text) - 2)
            for name in names[start : start + self.chance.randint(2, 3)]:
                made.write(("name", name, name), self.chance.choice([", ", "; "]))
                made.items[-1]["year"], made.places[-1]["year"] = year, [place]
            made.text = made.text[:-2] + ".\n"
        return made

    def notes(self) -> Document:
        made = Document("notes", Note)
        findings = [
            ("severe headache and nausea since Monday", "severe headache with nausea since Monday"),
            ("the organisation of the archive was poor", "the organization of the archive was poor"),
            ("a “quiet” engine – mostly", 'a "quiet" engine - mostly'),
            ("leaks at the back door", "leaks at the back door"),
            ("walls with 3 cracks near the stairs", "walls with 3 cracks near the stairs"),
            ("the ﬁnal coat of paint is missing", "the final coat of paint is missing"),
        ]  # fmt: skip
        for number, (written, said) in enumerate(self.chance.sample(findings, 4), 1):
            title = f"Visit {number} on the {self.chance.choice(['north', 'south'])} side"
            made.write(("title", title, title), ": ", ("finding", said, written), ". ", self.filler(), "\n")
        return made

    def other_scripts(self, language: str) -> Document:
        names, cities = NAMES[language]
        made = Document(f"language {language}", Person)
        for name in self.chance.sample(names, len(names)):
            age, city = self.chance.randint(18, 80), self.chance.choice(cities)
            who, old, where = ("name", name, name), ("age", age, str(age)), ("city", city, city)
            forms: dict[str, tuple[Any, ...]] = {
                "zh": (who, "今年", old, "岁，住在", where, "。"),
                "ko": (who, "는 ", old, "세이며 ", where, "에 산다. "),
                "vi": (who, " ", old, " tuổi, sống ở ", where, " 😀. "),
                "ar": (who, " عمره ", old, " ويعيش في ", where, ". "),
            }  # fmt: skip
            made.write(*forms[language])
        return made

    def answered(self, made: Document) -> Document:
        """Give a document an answer: most values right, some of another item or of nobody, perhaps in another order."""
        order = list(range(len(made.items)))
        if self.chance.random() < 0.25:
            self.chance.shuffle(order)
        for index in order:
            item, right = dict(made.items[index]), dict.fromkeys(made.items[index], True)
            if self.chance.random() < 0.12:
                name = self.chance.choice(list(item))
                wrong = self.wrong(item[name], made.text)
                if wrong is not None:
                    item[name], right[name] = wrong, False
            borrowed = set[str]()
            if self.chance.random() < 0.06:
                name, other = self.chance.choice(list(item)), self.chance.choice(made.items)
                if other[name] != made.items[index][name] and str(other[name]) not in str(made.items[index][name]):
                    item[name], right[name] = other[name], False
                    borrowed.add(name)
            made.borrowed.append(borrowed)
            made.answer.append(item)
            made.right.append(right)
            made.of.append(index)
        return made

    def wrong(self, value: Any, text: str) -> Any:
        """Return a value like this one that the text does not have; None if none is found."""
        tries: list[Callable[[], Any]] = {
            int: [lambda: value + self.chance.choice([1, 3, 10, 100])],
            float: [lambda: value + self.chance.choice([1, 10, 0.25])],
            dt.date: [lambda: value + dt.timedelta(days=self.chance.choice([1, 31, 366]))],
        }.get(type(value), [self.name, lambda: self.changed(value)])  # fmt: skip
        for _ in range(5):
            wrong = self.chance.choice(tries)()
            if wrong != value and not _may_stand(wrong, text):
                return wrong
        return None

    def changed(self, value: str) -> str:
        digits = [at for at, each in enumerate(value) if each.isdigit()]
        if digits:
            at = self.chance.choice(digits)
            return value[:at] + str((int(value[at]) + 1) % 9 + 1) + value[at + 1 :]
        return f"{value} {self.chance.choice(['Junior', 'Overseas', 'never'])}"


_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")


def _may_stand(value: Any, text: str) -> bool:
    """Return whether a wrong value may be in the text by chance, in any form that the corpus writes."""
    if isinstance(value, float):
        return any(
            form in text
            for form in (f"{value:.2f}", f"{value:,.2f}", f"{value:,.2f}".translate(str.maketrans(",.", ".,")))
        )
    if isinstance(value, dt.date):
        return f"{value.day}" in text and str(value.year) in text and value.day < 13
    if isinstance(value, int):
        return str(value) in text or str(value).translate(_WIDE) in text or WORDS.get(value, "\0") in text
    return str(value).casefold() in text.casefold()


def corpus(seed: int, rounds: int) -> Iterator[Document]:
    """Yield the documents of a corpus."""
    writer = Writer(seed)
    for _ in range(rounds):
        for made in (
            writer.prose(False), writer.prose(True), writer.table(), writer.cards(), writer.clinical(), writer.sales(),
            writer.statement(), writer.headings(), writer.notes(), *map(writer.other_scripts, NAMES),
        ):  # fmt: skip
            yield writer.answered(made)
