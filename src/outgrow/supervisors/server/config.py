"""Which server is asked, and within which limits. Nothing here needs more than the core install."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from outgrow.core.config import Config
from outgrow.core.config_errors import fault

HIDDEN = "(not shown)"
# Settings with such names hold secrets, and a recipe is stored and shown. Bodies may have harmless keys, such as
# `prompt_cache_key`.
_SECRET = r"secret|password|passwd|credential|authori[sz]ation|bearer|cookie|headers?$|(^|api_|access_|auth_)token$"
_SECRET_SETTING = re.compile(f"key|{_SECRET}", re.I)
_SECRET_PARAMETER = re.compile(f"^key$|(api|access|auth|private)[_-]?key|{_SECRET}", re.I)
_VARIABLE = re.compile(r"^[A-Z_][A-Z0-9_]*$")
# What the supervisor decides for every request; a second value in `extra` would contradict it.
OWNED = (
    "model", "messages", "prompt", "n", "best_of", "stream", "stream_options", "echo", "max_tokens",
    "max_completion_tokens", "temperature", "seed", "logprobs", "top_logprobs",
)  # fmt: skip


def _endpoint(url: str, *place: int | str) -> str:
    """A base URL without its last slash; `place` is where it stands.

    Raises:
        ValidationError: not http(s), or it holds a password or a query, which are not shown.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise fault("is not a URL", HIDDEN, *place) from None
    if parts.username is not None or parts.password is not None:
        raise fault(
            "must not hold a user or a password; put the key into an environment variable and name it in api_key_env",
            f"{parts.scheme}://{HIDDEN}@{host}",
            *place,
        )
    if parts.query or parts.fragment:
        seen = f"{parts.scheme}://{host}{parts.path}?{HIDDEN}"
        raise fault("must end with its path, without ? or #", seen, *place)
    if parts.scheme not in ("http", "https") or not host:
        raise fault("must be a URL such as http://localhost:8000/v1", url, *place)
    if parts.path.rstrip("/").endswith("/completions"):
        raise fault("must end before /completions or /chat/completions, for instance in /v1", url, *place)
    return url.rstrip("/")


def refuse_keys(raw: Any, known: Collection[str]) -> None:
    """Refuse a setting whose name says that it holds a secret, before any other complaint shows its value.

    Args:
        raw: a supervisor as a recipe has it, of whatever kind.
        known: the names its kind knows.

    Raises:
        ValidationError: names the setting, not its value.
    """
    if not isinstance(raw, Mapping):
        return
    unknown = [str(name) for name in raw if name not in known]
    found: list[tuple[str, ...]] = [(name,) for name in unknown if _SECRET_SETTING.search(name)]
    found += [path for path in _paths(raw.get("extra"), "extra") if _SECRET_PARAMETER.search(path[-1])]
    if found:
        raise fault(
            "a key does not belong here; put it into an environment variable and name that in api_key_env "
            "(supervisors of kind server)",
            HIDDEN, *found[0],
        )  # fmt: skip


def _paths(value: Any, *place: str) -> Iterator[tuple[str, ...]]:
    """The names of nested settings, each with those that lead there."""
    if isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner, *place)
    for name, inner in value.items() if isinstance(value, Mapping) else ():
        yield (*place, str(name))
        yield from _paths(inner, *place, str(name))


Limit = Annotated[int, Field(ge=1)] | None
Price = Annotated[float, Field(ge=0)] | None


class ServerConfig(Config):
    """An OpenAI-compatible server as a supervisor.

    Attributes:
        model: the name under which the server serves the model.
        base_url: where the API is, usually ending in `/v1`; a list is several servers of the same model, among
            which requests are balanced.
        api: `chat` asks `chat/completions`, `completions` asks `completions`; `auto` takes `completions` for decoding
            `options`, else `chat`.
        revision: which weights the server runs, as far as you know; part of the store's key. Without it the
            endpoints are part of the key, because two servers may call different models alike.
        reply_model: `same` refuses replies that name another model (a date, tag or revision behind the name is the
            same model); `any` takes them, for servers that report a name of their own.
        api_key_env: name of the environment variable that holds the key; nothing is sent when it is not set.
        concurrency: requests under way at a time.
        requests_per_minute: most requests sent per minute, retries included.
        tokens_per_minute: most tokens per minute, prompt and answer together.
        timeout: seconds for one request, from connecting to the last byte.
        retries: further tries of a request after failures that may pass.
        backoff: seconds before the first retry, about; doubled for each further one.
        max_wait: most seconds between two tries, also where `Retry-After` asks for more.
        max_requests: budget of requests for these answers, retries and earlier interrupted runs included.
        max_tokens: budget of tokens likewise; a request that might exceed it is not sent.
        max_new_tokens: most tokens of an answer; null takes the task's.
        token_limit: the parameter that says so; some chat models know `max_completion_tokens` only.
        system: a system message before every question (chat only).
        logprobs: `auto` asks for log-probabilities and does without where the server refuses them.
        send_seed: send a seed with every drawn answer.
        temperature: `ask` sends that of the recipe's `ask`, 0 for the identity's first answer; null sends none, for
            models that take only their own. All their answers are drawn.
        prompt_price: per million prompt tokens, in any currency; for the report of costs.
        completion_price: per million generated tokens.
        extra: further parameters of the request's body (the openai client's `extra_body`), for instance {top_p: 0.95},
            or {chat_template_kwargs: {enable_thinking: false}} where a server has such a switch.
    """

    model: Annotated[str, Field(min_length=1)]
    base_url: str | tuple[str, ...]
    api: Literal["auto", "chat", "completions"] = "auto"
    revision: Annotated[str, Field(min_length=1)] | None = None
    reply_model: Literal["same", "any"] = "same"
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    timeout: Annotated[float, Field(gt=0)] = 120.0
    retries: Annotated[int, Field(ge=0, le=100)] = 6
    backoff: Annotated[float, Field(gt=0)] = 0.5
    max_wait: Annotated[float, Field(gt=0)] = 60.0
    max_requests: Limit = None
    max_tokens: Limit = None
    max_new_tokens: Limit = None
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    system: str | None = None
    logprobs: Literal["auto", "off"] = "auto"
    send_seed: bool = True
    temperature: Literal["ask"] | None = "ask"
    prompt_price: Price = None
    completion_price: Price = None
    extra: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _no_secrets(cls, raw: Any) -> Any:
        """Before anything else is looked at, so that no other complaint shows the key."""
        refuse_keys(raw, cls.model_fields)
        if not isinstance(raw, Mapping):
            return raw
        variable = raw.get("api_key_env", "X")
        if not isinstance(variable, str) or not _VARIABLE.match(variable):
            raise fault(
                "must be the name of an environment variable in capitals, not the key itself", HIDDEN, "api_key_env"
            )
        urls = raw.get("base_url")
        if isinstance(urls, str):
            return {**raw, "base_url": _endpoint(urls, "base_url")}
        if isinstance(urls, list | tuple) and all(isinstance(url, str) for url in urls):
            if not urls:
                raise fault("needs one URL or more", [], "base_url")
            return {**raw, "base_url": tuple(_endpoint(url, "base_url", i) for i, url in enumerate(urls))}
        return raw

    @model_validator(mode="after")
    def _consistent(self) -> ServerConfig:
        for name in self.extra:
            if name in OWNED:
                raise fault("is decided by other settings, so it cannot stand in extra", name, "extra", name)
        if len(set(self.endpoints)) < len(self.endpoints):
            raise fault("the same endpoint stands twice", list(self.endpoints), "base_url")
        if self.system is not None and self.api == "completions":
            raise fault("api 'completions' has no system message; put it into the prompts", self.system, "system")
        return self

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The base URLs, one or more."""
        return (self.base_url,) if isinstance(self.base_url, str) else self.base_url

    def identity(self) -> dict[str, Any]:
        """What decides the answers, as plain values for the store's key: no key, no limits, no prices.

        The endpoints belong to it only without a declared revision.
        """
        decides = {
            "model", "revision", "api", "reply_model", "max_new_tokens", "system", "logprobs", "send_seed", "extra",
            "token_limit",
        }  # fmt: skip
        plain = self.model_dump(mode="json", include=decides)
        if self.temperature is None:
            plain["temperature"] = None
        if self.revision is None:
            plain["endpoints"] = sorted(self.endpoints)
        return plain
