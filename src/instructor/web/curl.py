"""A request as a command for a shell. Keys are never in it: a variable of the environment stands in their place."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from instructor import redaction
from instructor.web.tap import Sent

_OURS = {"host", "connection", "content-length", "accept-encoding", "user-agent", "accept"}
"""Headers that curl writes itself."""
_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_SCHEME = re.compile(r"(Bearer|Basic|Token) ", re.IGNORECASE)


def curl_of(sent: Sent, variable: str) -> str:
    """Return the command for a request.

    Args:
        sent: What the SDK has sent.
        variable: The variable of the environment that holds the key.
    """
    lines = [f"curl {_quoted(_address(sent.url, variable))}"]
    if sent.method != "POST":
        lines[0] = f"curl -X {_quoted(sent.method)} {_quoted(_address(sent.url, variable))}"
    for name, value in sent.headers.items():
        low = name.lower()
        if low in _OURS or low.startswith(("x-stainless-", "x-fern-")):
            continue
        if low == "authorization" or redaction.is_secret(low):
            scheme = _SCHEME.match(value)
            lines.append(f'-H "{_in_double(name)}: {scheme[0] if scheme else ""}${variable}"')
        elif redaction.is_harmless_header(low):
            lines.append(f"-H {_quoted(f'{name}: {redaction.text(value)}')}")
    if sent.body:
        lines.append(f"-d {_quoted(_body(sent.body))}")
    return " \\\n  ".join(lines)


def _address(url: str, variable: str) -> str:
    """Return an address without secrets: of its query the values that are known to be harmless."""
    parts = urlsplit(redaction.text(url))
    query = [
        (name, value if redaction.is_harmless_parameter(name) else f"${variable}")
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return urlunsplit(parts._replace(query=urlencode(query, safe="$"), netloc=parts.netloc.rpartition("@")[2]))


def _body(body: bytes) -> str:
    try:
        value = json.loads(body)
    except ValueError:
        return redaction.text(body.decode("utf-8", "replace"))
    if isinstance(value, dict):
        value = redaction.request(value)
    return json.dumps(value, indent=2, ensure_ascii=False)


def _quoted(text: str) -> str:
    """Quote a text for a shell; where a variable stands in it, so that the variable is read."""
    if _PLAIN.fullmatch(text):
        return text
    if re.search(r"=\$[A-Z_][A-Z0-9_]*", text) and text.startswith(("http://", "https://")):
        return f'"{_in_double(text, variables=True)}"'
    return "'" + text.replace("'", "'\\''") + "'"


def _in_double(text: str, *, variables: bool = False) -> str:
    return re.sub(r'["`\\]' if variables else r'["`\\$]', lambda mark: "\\" + mark[0], text)
