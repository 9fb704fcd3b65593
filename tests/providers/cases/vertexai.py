from typing import Any

from google.auth.credentials import Credentials

from cases import Case
from cases.google import CASE as GOOGLE


class NoCredentials(Credentials):
    """Credentials that need no server to be valid."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK's own
        self.token = "none"

    def refresh(self, request: Any) -> None:
        """Do nothing: the token never ends."""


CASE = Case(
    name="vertexai",
    options=lambda server: {
        "project": "scripted",
        "credentials": NoCredentials(),
        "http_options": {"base_url": server.root},
    },
    length=GOOGLE.length,
    text=GOOGLE.text,
    counts=GOOGLE.counts,
    status=GOOGLE.status,
    impossible=GOOGLE.impossible,
    close=GOOGLE.close,
)
