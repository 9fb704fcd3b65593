"""Where `strict` was; it lives in `schemas`."""

from instructor.wire.schemas import strict as strict
