"""The engine: it does no I/O and knows no provider. `runner.py` has the flow of a call."""

from instructor import _compat

_compat.serve_older_names(__name__)
