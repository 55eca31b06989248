"""What can go wrong with a request, and whether it is worth another try."""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from outgrow.core.errors import ConfigError, OutgrowError, PrerequisiteError
from outgrow.supervisors.server.secret import Secret

SHOWN = 300  # characters of a server's own words in a message

# How servers say that a prompt is too long: OpenAI and vLLM "maximum context length", code `context_length_exceeded`
# (openai.types.beta.session_turn_error); llama.cpp `exceed_context_size_error`, also with status 500
# (github.com/ggml-org/llama.cpp/pull/15780); others by words alone.
_TOO_LONG = re.compile(
    r"context.{0,3}(length|size|window)|context_exceeded|maximum (input|prompt|sequence|model) length|max_model_len"
    r"|(prompt|input|request) (is|was) too (long|large)|too many (input |prompt )?tokens|string_above_max_length",
    re.I,
)
_FILTERED = re.compile(r"content.?(filter|policy|management)|content_policy_violation|flagged|moderation", re.I)
_NO_LOGPROBS = re.compile(r"log.?prob", re.I)
_UNPAID = re.compile(r"insufficient.?(quota|funds|credit|balance)|billing", re.I)
_UNKNOWN_MODEL = re.compile(r"model.{0,120}(not (exist|found|served|available|supported)|unknown|invalid)"
                            r"|unknown model|no such model|model_not_found|pinned to", re.I | re.S)  # fmt: skip
AGAIN = frozenset({408, 409, 425, 429})


class TransientError(Exception):
    """Another try may succeed.

    Args:
        reason: what happened, without the key.
        wait: seconds the server asked to wait.
        outcome: the `finish_reason` of an invalid answer when it stays so; None: an error ends the run.
        reachable: whether the server was reached at all.
        fault: whether it speaks against the endpoint (a rate limit and an odd answer do not).
        user: whether a setting is likely to be at fault if it stays so.
    """

    def __init__(
        self,
        reason: str,
        *,
        wait: int | float = 0.0,
        outcome: str | None = None,
        reachable: bool = True,
        fault: bool = True,
        user: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason, self.wait, self.outcome = reason, wait, outcome
        self.reachable, self.fault, self.user = reachable, fault, user


class RefusedError(Exception):
    """The server will not answer this question, however often it is asked."""

    def __init__(self, finish_reason: str) -> None:
        super().__init__(finish_reason)
        self.finish_reason = finish_reason


class NoLogprobsError(Exception):
    """The server refuses to give log-probabilities."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def retry_after(headers: Mapping[str, str], now: int | float | None = None) -> float:
    """Seconds that a reply asks to wait: `retry-after-ms`, or `Retry-After` as seconds or date (RFC 9110, 10.2.3)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return seconds if math.isfinite(seconds) and seconds > 0 else 0.0
    try:
        date = parsedate_to_datetime(headers.get("retry-after", "")).timestamp()
    except (ValueError, OverflowError, OSError):  # a date that is none, or beyond the calendar
        return 0.0
    return max(0.0, date - (time.time() if now is None else now))


def said(body: bytes, secret: Secret) -> str:
    """A server's own words on an error, short and without the key."""
    text = body[:20_000].decode("utf-8", "replace")
    with contextlib.suppress(ValueError, RecursionError):
        text = _message(json.loads(text)) or text
    text = " ".join(secret.scrub(text).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _message(reply: Any) -> str:
    """The words in {"error": {"message", "type", "code"}} (openai.types.shared.ErrorObject) and its relatives."""
    error = reply.get("error", reply) if isinstance(reply, dict) else reply
    if not isinstance(error, dict):
        return str(error)
    parts = [error.get(key) for key in ("message", "detail", "type", "code")]
    return "; ".join(str(part) for part in parts if part)


def of_status(status: int, headers: Mapping[str, str], body: bytes, *, url: str, secret: Secret) -> Exception:
    """The failure that a status other than 2xx means."""
    words = said(body, secret)
    seen = f"{url} answered {status}" + (f": {words}" if words else "")
    if status in (400, 413, 422, 500) and (status == 413 or _TOO_LONG.search(words)):
        return RefusedError("context_length")
    if status in (400, 422):
        if _FILTERED.search(words):
            return RefusedError("refused")
        if _NO_LOGPROBS.search(words):
            return NoLogprobsError(seen)
    if status in AGAIN or status >= 500:
        if status == 429 and _UNPAID.search(words):
            return PrerequisiteError(f"{seen}; the account behind the key in {secret.variable} cannot pay for more")
        return TransientError(seen, wait=retry_after(headers), fault=status != 429)
    return _final(status, words, seen, secret)


def _final(status: int, words: str, seen: str, secret: Secret) -> OutgrowError:
    if status in (401, 403):
        key = f"the key in {secret.variable} was sent" if secret else f"no key was sent, {secret.variable} is not set"
        return ConfigError(f"{seen} ({key}); put a key that is valid there into the variable that api_key_env names")
    if status == 402:
        return PrerequisiteError(f"{seen}; the account behind the key in {secret.variable} cannot pay for more")
    if _UNKNOWN_MODEL.search(words):
        return ConfigError(f"{seen}; 'model' must be a name that this server serves (its /models lists them)")
    if status in (404, 405):
        return ConfigError(f"{seen}; check 'base_url' (it usually ends in /v1), 'api' and 'model'")
    if 300 <= status < 400:
        return ConfigError(f"{seen}, a redirection, which is not followed with a key; give the final 'base_url'")
    return ConfigError(f"{seen}; the server does not accept the request: check 'model', 'api', 'token_limit', 'extra'")
