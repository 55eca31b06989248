"""A FAKE of an OpenAI-compatible server: it has no model, and says what a test's script tells it to say.

The shapes are those of the `openai` Python package 3.52 (types generated from OpenAI's published specification):
`openai/types/chat/chat_completion.py`, `chat_completion_token_logprob.py`, `openai/types/completion_choice.py`,
`completion_usage.py`, `shared/error_object.py`. Echoed log-probabilities (first one null, the generated token last) are
as vLLM 0.16 gave them in github.com/ggml-org/llama.cpp/pull/15189; the errors of a context that is too small as vLLM,
OpenAI and llama.cpp (github.com/ggml-org/llama.cpp/pull/15780) word them. That a real server works is shown with
`transformers serve`, in `test_proxy.py`.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving import Seen, Sent, Served

MODEL = "weak-1"
USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}


@dataclass(frozen=True)
class Asked:
    """One request: `n` counts the requests with this very body, from 0."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    n: int

    @property
    def text(self) -> str:
        """What is asked last: the prompt, or the last message."""
        if "messages" in self.body:
            return self.body["messages"][-1]["content"]
        return self.body["prompt"] if isinstance(self.body["prompt"], str) else self.body["prompt"][0]


class FakeServer:
    """Answers with `script(Asked)`: a dict is sent as JSON, a `Sent` as it is; `asked` lists what came in."""

    def __init__(self, script: Callable[[Asked], dict[str, Any] | Sent]) -> None:
        self.asked: list[Asked] = []
        self._script, self._lock, self._seen = script, threading.Lock(), {}
        self._served = Served(self._answer)
        self.url, self.close = self._served.url, self._served.close

    def _answer(self, seen: Seen) -> Sent:
        with self._lock:
            n = self._seen[seen.body] = self._seen.get(seen.body, -1) + 1
            asked = Asked(seen.path.removeprefix("/v1"), json.loads(seen.body), seen.headers, n)
            self.asked.append(asked)
        reply = self._script(asked)
        return reply if isinstance(reply, Sent) else Sent(body=json.dumps(reply).encode())


def chat(text, *, logprobs=None, model=MODEL, finish_reason="stop", usage=USAGE, **message):
    """A `ChatCompletion`; `logprobs`: (token, logprob, {alternative: logprob}) each."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text, **message}}
    if logprobs is not None:
        choice["logprobs"] = {
            "content": [
                {"token": t, "logprob": p, "bytes": list(t.encode()), "top_logprobs": _top(alternatives)}
                for t, p, alternatives in logprobs
            ],
            "refusal": None,
        }
    return _reply("chat.completion", [choice], model, usage)


def _top(alternatives):
    return [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in alternatives.items()]


def completion(*texts, logprobs=None, model=MODEL, finish_reason="stop", usage=USAGE):
    """A `Completion` with one choice per text; `logprobs`: per choice, (token, logprob or None) each."""
    choices = []
    for index, text in enumerate(texts):
        choice = {"index": index, "text": text, "finish_reason": finish_reason, "logprobs": None}
        if logprobs is not None:
            tokens = [t for t, _ in logprobs[index]]
            choice["logprobs"] = {
                "tokens": tokens,
                "token_logprobs": [p for _, p in logprobs[index]],
                "top_logprobs": [None if p is None else {t: p} for t, p in logprobs[index]],
                "text_offset": [sum(map(len, tokens[:i])) for i in range(len(tokens))],
            }
        choices.append(choice)
    return _reply("text_completion", choices, model, usage)


def _reply(kind, choices, model, usage):
    reply = {"id": "fake-1", "object": kind, "created": 1, "model": model, "choices": choices}
    return reply if usage is None else {**reply, "usage": usage}


def error(status, message, *, code=None, kind="invalid_request_error", headers=None):
    """An `ErrorObject` with a status."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    return Sent(status, json.dumps(body).encode(), headers or {})
