"""Answers as columns of an Arrow table, for engines whose rows are tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from instructor.bulk.export import arrow_type, fit, one_schema
from instructor.bulk.inputs import package
from instructor.bulk.journal import Answer


class AnswerTable:
    """Makes columns of answers. Their types come from the schema of the answer: every batch has the same ones.

    Args:
        schema: The JSON schemas of the answer, by the names of their tools.
        many: Whether the answer is a list.
    """

    def __init__(self, schema: str, *, many: bool) -> None:
        self._arrow = package("pyarrow")
        answer = arrow_type(one_schema(json.loads(schema)), self._arrow, many=many)
        self.fields: dict[str, Any] = {
            "answer": answer,
            "error": self._arrow.string(),
            "attempts": self._arrow.int64(),
            "input_tokens": self._arrow.int64(),
            "output_tokens": self._arrow.int64(),
        }
        """The types of the columns, by name."""

    def rows(self, answers: Sequence[Answer]) -> list[dict[str, Any]]:
        """Return a row of these columns for each answer."""
        return [
            {
                "answer": None
                if each.value is None
                else fit(json.loads(each.value), self.fields["answer"], self._arrow),
                "error": None if each.error is None else json.loads(each.error)["message"],
                "attempts": len(each.attempts),
                "input_tokens": each.usage.input_tokens,
                "output_tokens": each.usage.output_tokens,
            }
            for each in answers
        ]

    def appended(self, table: Any, answers: Sequence[Answer]) -> Any:
        """Return a table with these columns after its own."""
        rows = self.rows(answers)
        for name, kind in self.fields.items():
            table = table.append_column(name, self._arrow.array([row[name] for row in rows], type=kind))
        return table
