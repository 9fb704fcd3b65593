"""Read JSON out of the text that a model writes, incrementally or whole."""

import jiter


def is_json(text: str | bytes) -> bool:
    """Return whether a text is one JSON value and nothing else."""
    try:
        jiter.from_json(text if isinstance(text, bytes) else text.encode())
    except ValueError:
        return False
    return True
