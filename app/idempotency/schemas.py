"""Idempotency keys as clients write them."""

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

KEY = re.compile(r"[\x20-\x7e]{1,255}")
BROKEN = "Must be 1 to 255 printable ASCII characters."


class KeyText(fields.Field[str]):
    """A key in a JSON object."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        if not isinstance(value, str) or not KEY.fullmatch(value):
            raise ValidationError(BROKEN)
        return value
