"""What comes back: choices, texts and token counts, each checked before it is believed."""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from outgrow.core.errors import ConfigError
from outgrow.supervisors.server.bodies import Api, Request
from outgrow.supervisors.server.config import ServerConfig
from outgrow.supervisors.server.failures import TransientError
from outgrow.supervisors.server.secret import Secret

# Behind a model's name these mean the same model: a date or number, a revision or tag, a file's ending.
_SAME = re.compile(r"(-\d{3,8}(-\d\d){0,2}|-latest|[@:][\w.:@/-]+|\.gguf)*")
MOST = 2**31  # tokens, or nats
ROUNDING = 0.01  # nats above 0 that a server's arithmetic may show
_REASONS = re.compile(r"[a-z_]{1,40}")


class Usage(NamedTuple):
    """Tokens of one reply; None where the server does not say."""

    prompt: int | None
    completion: int | None


def usage_of(reply: dict[str, Any]) -> Usage:
    """Token counts (openai.types.CompletionUsage)."""
    usage = reply.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Usage(count(usage.get("prompt_tokens")), count(usage.get("completion_tokens")))


def check_model(reply: dict[str, Any], config: ServerConfig, secret: Secret) -> None:
    """Make sure that the model asked for has answered; a reply that names none is believed.

    Raises:
        TransientError: another model has answered.
    """
    named = reply.get("model")
    if config.reply_model == "any" or named is None or (isinstance(named, str) and _same(config.model, named)):
        return
    shown = secret.scrub(str(named))[:100]
    raise TransientError(
        f"a reply came from model '{shown}' instead of '{config.model}'; name the model as the server does, or set "
        "reply_model: any if that is what the server calls it",
        user=True,
    )


def _same(asked: str, named: str) -> bool:
    def continues(short: str, long: str) -> bool:
        return long.startswith(short) and _SAME.fullmatch(long[len(short) :]) is not None

    a, b = asked.casefold(), named.casefold()
    forms = [(a, b), (a.rsplit("/", 1)[-1], b.rsplit("/", 1)[-1])]
    return any(continues(short, long) or continues(long, short) for short, long in forms)


def choices_of(reply: dict[str, Any], request: Request) -> list[dict[str, Any]]:
    """The choices in order.

    Raises:
        TransientError: there are none, or not as many as were asked for, or an answer is longer than it can be.
    """
    found = reply.get("choices")
    if not isinstance(found, list) or not all(isinstance(choice, dict) for choice in found):
        raise TransientError("a reply has no list of choices", user=True)
    if not found:
        raise TransientError("a reply has no choices", outcome="empty", fault=False)
    if len(found) != request.choices:
        raise TransientError(f"a reply has {len(found)} choices instead of {request.choices}", user=True)
    if request.choices > 1:
        if sorted(choice.get("index", -1) for choice in found) != list(range(len(found))):
            raise TransientError("the choices of a reply are not numbered", user=True)
        found = sorted(found, key=lambda choice: int(choice["index"]))
    for choice in found:
        text = text_of(choice, request.api)
        if text is not None and len(text) > request.longest:
            raise TransientError(
                f"an answer has {len(text):,} characters, more than the tokens asked for can have", outcome="too_long"
            )
    return found


def text_of(choice: dict[str, Any], api: Api) -> str | None:
    """The generated text; None for a refusal, a tool call or nothing.

    Raises:
        TransientError: the choice has not the documented form.
    """
    if api == "completions":
        text = choice.get("text")
    else:
        message = choice.get("message")
        if not isinstance(message, dict):
            raise TransientError("a choice has no message", user=True)
        text = message.get("content")
        if isinstance(text, list):
            text = _joined(text)
        if text is None and (message.get("refusal") or message.get("tool_calls") or "role" in message):
            return None
    if not isinstance(text, str):
        raise TransientError("a choice has no text", outcome="empty", fault=False)
    return text.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be stored


def _joined(parts: list[Any]) -> str | None:
    """The text of a content that comes in parts; None where none of them is text."""
    texts = [
        part.get("text") for part in parts if isinstance(part, dict) and part.get("type") in ("text", "output_text")
    ]
    return "".join(text for text in texts if isinstance(text, str)) if texts else None


def answer_of(choice: dict[str, Any], request: Request, usage: Usage, secret: Secret) -> dict[str, Any]:
    """A generated answer: `text`, `logprob`, `n_tokens`, `finish_reason`.

    `logprob` is the sum over the tokens that the server lists; most leave the end token out.

    Raises:
        TransientError: the server says that generating failed.
    """
    text = text_of(choice, request.api)
    reason = choice.get("finish_reason")
    reason = reason if isinstance(reason, str) and _REASONS.fullmatch(reason) else None
    if reason == "error":
        raise TransientError("a reply ends with finish_reason 'error'", outcome="error")
    if text is None:
        refused = request.api == "chat" and choice["message"].get("refusal")
        reason = "refused" if refused else reason if reason not in (None, "stop") else "empty"
    logprobs = _logprobs(choice, request.api)
    known = logprobs is not None and all(p is not None for p in logprobs)
    return {
        "text": None if text is None else secret.scrub_answer(text),
        "logprob": math.fsum(p for p in logprobs if p is not None) if known and logprobs else None,
        "n_tokens": usage.completion if usage.completion is not None else len(logprobs) if logprobs else None,
        "finish_reason": reason,
    }


def _logprobs(choice: dict[str, Any], api: Api) -> list[float | None] | None:
    """Log-probability of each generated token (openai.types.chat.chat_completion, openai.types.completion_choice)."""
    logprobs = choice.get("logprobs")
    if not isinstance(logprobs, dict):
        return None
    if api == "completions":
        listed = logprobs.get("token_logprobs")
        return [number(p) for p in listed] if isinstance(listed, list) else None
    content = logprobs.get("content")
    if not isinstance(content, list):
        return None
    return [number(token.get("logprob")) if isinstance(token, dict) else None for token in content]


def number(value: Any) -> float | None:
    """A log-probability, at most 0 but for rounding; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MOST <= value <= ROUNDING:
        return None
    return min(0.0, float(value))


def count(value: Any) -> int | None:
    """A number of tokens; None for what can be none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else None


def no_logprobs(api: Api, seen: str) -> ConfigError:
    """The error for a server that cannot score options."""
    wanted, instead = {
        "completions": ("log-probabilities of an echoed prompt", "api 'chat' with a task that answers by letter"),
        "chat": ("top_logprobs", "api 'completions' with a server that echoes log-probabilities"),
    }[api]
    return ConfigError(
        f"decoding 'options' needs {wanted} from api '{api}', and the server does not give them ({seen}); set decoding "
        f"'generate', or {instead}"
    )
