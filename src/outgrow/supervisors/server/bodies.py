"""What is sent: the request's path and body for a question in one wording."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.supervisors.queries import Query
from outgrow.supervisors.server.config import ServerConfig

Api = Literal["chat", "completions"]
PATHS: dict[Api, str] = {"chat": "/chat/completions", "completions": "/completions"}
TOP = 20  # most alternatives that `top_logprobs` may ask for (openai.types.chat.completion_create_params)
_LONGEST_TOKEN = 256  # characters; longer runs of one token are not known


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        api: which of the two interfaces.
        body: JSON-able.
        with_logprobs: the parameters that ask for log-probabilities, apart, so that they can be left out.
        needs_logprobs: whether there is no answer without them.
        choices: how many the reply must have.
        prompt_tokens: about how many the prompt has.
        new_tokens: most that are generated.
        longest: characters that an answer can have, by the number of tokens asked for.
    """

    api: Api
    body: dict[str, Any]
    with_logprobs: dict[str, Any]
    needs_logprobs: bool
    choices: int
    prompt_tokens: int
    new_tokens: int
    longest: int

    @property
    def path(self) -> str:
        """Behind the base URL."""
        return PATHS[self.api]

    @property
    def tokens(self) -> int:
        """About how many it costs at most, prompt and answer together."""
        return self.prompt_tokens + self.new_tokens

    def payload(self, logprobs: bool) -> dict[str, Any]:
        """The body, with or without the wish for log-probabilities."""
        return {**self.body, **self.with_logprobs} if logprobs else self.body


def api_of(config: ServerConfig, decoding: str) -> Api:
    """The interface that is asked: `auto` takes `completions` for options, else `chat`."""
    if config.api != "auto":
        return config.api
    return "completions" if decoding == "options" else "chat"


def seed_of(seed: int, example_id: str, variant: int, sample: int) -> int:
    """The seed that is sent: 31 bits, since some servers take no more."""
    return int(sha256_text("server", seed, example_id, variant, sample)[:8], 16) >> 1


def estimate(text: str) -> int:
    """About how many tokens a text has, rather too many than too few: one for three bytes."""
    return math.ceil(len(text.encode("utf-8", "replace")) / 3)


def text_request(
    config: ServerConfig, query: Query, api: Api, *, max_new_tokens: int, temperature: float, seed: int | None
) -> Request:
    """Write an answer.

    A chat model sees demonstrations as earlier turns, and the wording's prompt as the last message; `completions`
    gets all of it as one text.
    """
    body = _common(config, api, max_new_tokens, temperature, seed if config.send_seed else None)
    asked = _ask(config, query, api, body)
    wish = {} if config.logprobs == "off" else {"logprobs": True} if api == "chat" else {"logprobs": 1}
    return Request(api, body, wish, False, 1, estimate(asked), max_new_tokens, _LONGEST_TOKEN * max_new_tokens)


def option_request(config: ServerConfig, query: Query, api: Api) -> Request:
    """Score every option of the wording.

    With `completions` each option stands behind the prompt and the server echoes the log-probabilities of both; with
    `chat` the alternatives to the first generated token are read, so every option must be a single token.

    Raises:
        ConfigError: an option cannot be a single token.
    """
    body = _common(config, api, 1, 0.0, None)
    if api == "completions":
        texts = [text for text, _ in option_texts(query)]
        body |= {"prompt": texts, "echo": True}
        cost, longest = sum(map(estimate, texts)), max(map(len, texts)) + _LONGEST_TOKEN
        return Request(api, body, {"logprobs": 1}, True, len(texts), cost, len(texts), longest)
    long = [option for option in query.options if len(option.strip().split()) != 1]
    if long or len({option.strip().casefold() for option in query.options}) < len(query.options):
        raise ConfigError(
            f"decoding 'options' with api 'chat' reads the first token alone, so options must be different single "
            f"words, best letters; this task has {list(query.options)}. Let the task answer by letter, use api "
            "'completions' where the server echoes log-probabilities, or decoding 'generate'"
        )
    asked = _ask(config, query, api, body)
    return Request(api, body, {"logprobs": True, "top_logprobs": TOP}, True, 1, estimate(asked), 1, _LONGEST_TOKEN)


def option_texts(query: Query) -> list[tuple[str, int]]:
    """Prompt and option as one text, and where the option begins; the blank between belongs to the option."""
    prompt = query.asked.rstrip(" ")
    blank = "" if prompt.endswith(("\n", "\t")) or not prompt else " "
    return [(f"{prompt}{blank}{option}", len(prompt)) for option in query.options]


def _common(
    config: ServerConfig, api: Api, max_new_tokens: int, temperature: float, seed: int | None
) -> dict[str, Any]:
    limit = config.token_limit if api == "chat" else "max_tokens"  # `completions` knows no other
    body = {**config.extra, "model": config.model, limit: max_new_tokens}
    if config.temperature is not None:
        body["temperature"] = temperature
    return body if seed is None else {**body, "seed": seed}


def _ask(config: ServerConfig, query: Query, api: Api, body: dict[str, Any]) -> str:
    """Put the question into the body; its text for the estimate of tokens."""
    if api == "completions":
        body["prompt"] = query.asked
        return query.asked
    messages: list[dict[str, str]] = [] if config.system is None else [_message("system", config.system)]
    for turn in query.turns:
        messages += [_message("user", turn.prompt), _message("assistant", turn.answer)]
    messages.append(_message("user", query.wording.prompt))
    body["messages"] = messages
    return "".join(message["content"] for message in messages)


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
