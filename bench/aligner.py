"""The aligner of langextract on the corpus of evidence (`tests/evidence`), for comparison with the figures of our test.

    make bench/.envs/langextract/ready && bench/.envs/langextract/bin/python bench/aligner.py

Its models are told to copy the text, so it is measured twice: with the values of the answer as a typed model has them,
and with those that are the text's copied from it, letter by letter.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from langextract.core.data import Extraction
from langextract.core.tokenizer import UnicodeTokenizer
from langextract.resolver import Resolver

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "evidence"))
from corpus import Document, corpus

SEED, ROUNDS = 4711, 40
"""Those of `tests/evidence/test_corpus.py`."""
OVERLAP = 0.5


def spans(made: Document, *, copied: bool) -> list[dict[str, tuple[int, int] | None]]:
    """Return where the aligner finds each value of an answer."""
    extractions = []
    for index, item in enumerate(made.answer):
        for name, value in item.items():
            text = str(value)
            if copied and made.right[index][name]:
                start, end = made.places[made.of[index]][name][0]
                text = made.text[start:end]
            extractions.append(Extraction(f"{index}.{name}", text))
    found: list[dict[str, tuple[int, int] | None]] = [{} for _ in made.answer]
    for each in Resolver().align(extractions, made.text, 0, tokenizer_inst=UnicodeTokenizer()):
        index, _, name = each.extraction_class.partition(".")
        place = each.char_interval
        found[int(index)][name] = None if place is None else (place.start_pos, place.end_pos)
    return found


def overlap(one: tuple[int, int], two: tuple[int, int]) -> float:
    common = min(one[1], two[1]) - max(one[0], two[0])
    return max(0, common) / (max(one[1], two[1]) - min(one[0], two[0]))


def main() -> None:
    for copied in (False, True):
        right = accepted = placed = invented = wrong = lent = borrowed = 0
        begin = time.process_time()
        for made in corpus(SEED, ROUNDS):
            for index, found in enumerate(spans(made, copied=copied)):
                for name, is_right in made.right[index].items():
                    place, another = found.get(name), name in made.borrowed[index]
                    right += is_right
                    wrong += not (is_right or another)
                    borrowed += another
                    accepted += is_right and place is not None
                    invented += not (is_right or another) and place is not None
                    lent += another and place is not None
                    labelled = made.places[made.of[index]][name]
                    placed += is_right and place is not None and max(overlap(place, p) for p in labelled) >= OVERLAP
        total = right + accepted + invented + lent
        print(
            f"{'copied' if copied else 'typed':7} value F1 {2 * accepted / total:.3f}, grounding F1 "
            f"{2 * placed / total:.3f}, invented and accepted {invented} of {wrong}, another's {lent} of {borrowed}, "
            f"right values without a place {1 - accepted / right:.2%}, {time.process_time() - begin:.1f} s"
        )


if __name__ == "__main__":
    main()
