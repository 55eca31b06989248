"""The key of a server: read from the environment, shown nowhere."""

from __future__ import annotations

import base64
import json
import os
import re
from urllib.parse import quote

from outgrow.core.errors import ConfigError

MASK = "[key]"
_PART = 6  # characters of the key that may stand in a message by chance
_BETWEEN = r"[\s\-_.,:;|'\"]{0,3}"
_LONG = 16  # below, a key such as "EMPTY" is an ordinary word, which answers may hold


class Secret:
    """A key that no message, log or `repr` shows.

    Args:
        value: the key; empty for none.
        variable: the environment variable it came from, for messages.
    """

    __slots__ = ("_spelled", "_value", "_written", "variable")

    def __init__(self, value: str, variable: str) -> None:
        self._value = value
        self.variable = variable
        ways, forms = (value, value[::-1]), set[str]()
        for own in ways:
            forms |= {own, quote(own, safe=""), json.dumps(own)[1:-1], own.encode().hex()}
            forms |= {base64.b64encode(own.encode()).decode(), base64.urlsafe_b64encode(own.encode()).decode()}
        case = re.IGNORECASE if len(value) >= _LONG else re.NOFLAG  # a short key in small letters may be a word
        self._written = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True))), case)
        self._spelled = re.compile("|".join(_BETWEEN.join(map(re.escape, own)) for own in ways), case)

    @classmethod
    def from_environment(cls, variable: str) -> Secret:
        """The key in an environment variable; empty when it is not set.

        Raises:
            ConfigError: the value cannot be sent as a key.
        """
        value = os.environ.get(variable, "").strip()
        if not value.isascii() or not value.isprintable() or " " in value:
            raise ConfigError(
                f"the environment variable {variable} holds blanks, line breaks or letters that no key has "
                f"({len(value)} characters, not shown); set it again"
            )
        return cls(value, variable)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return f"Secret({MASK if self else 'none'} from {self.variable})"

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a key is not pickled")

    def header(self) -> str:
        """The value of the `Authorization` header; for the moment of sending only."""
        return f"Bearer {self._value}"

    def scrub(self, text: str) -> str:
        """`text` for a message: the key and every longer part of it replaced by `[key]`.

        In upper or lower case, backwards, encoded, and spelled out with a space or a dash after each character too.
        """
        if not self:
            return text
        text = self._spelled.sub(MASK, self._written.sub(MASK, text))
        lowered = text.casefold() if len(text.casefold()) == len(text) else text
        keys = (self._value.casefold(), self._value[::-1].casefold())
        found, i = [], 0
        while i < len(text):
            n = max(_shared(lowered, i, key) for key in keys)
            found.append(MASK if n >= _PART else text[i])
            i += n if n >= _PART else 1
        return "".join(found)

    def scrub_answer(self, text: str) -> str:
        """`text` of an answer: the whole key replaced, where it is long enough not to be an ordinary word."""
        return self._written.sub(MASK, text) if len(self._value) >= _LONG else text


def _shared(text: str, start: int, key: str) -> int:
    """How many characters from `start` on are a part of the key."""
    n = 0
    while start + n < len(text) and text[start : start + n + 1] in key:
        n += 1
    return n
