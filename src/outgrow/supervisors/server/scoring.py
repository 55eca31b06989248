"""Log-probabilities of options, read from a reply's tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from outgrow.supervisors.queries import Query
from outgrow.supervisors.server.bodies import Request, option_texts
from outgrow.supervisors.server.replies import no_logprobs, number

# How byte-pair and sentence-piece vocabularies write a blank and a line break.
_PIECES = str.maketrans({"▁": " ", "Ġ": " ", "Ċ": "\n"})


class OptionScore(NamedTuple):
    """Log-probability of an option's tokens, how many they are, and whether the first one begins in the prompt."""

    logprob: float
    n_tokens: int
    straddles: bool


def score_options(choices: Sequence[dict[str, Any]], request: Request, query: Query) -> dict[str, Any]:
    """What is kept of a scored question: `logprobs` (None: not among the alternatives), `n_tokens`, `mismatches`.

    Raises:
        ConfigError: the reply has not the log-probabilities that were asked for.
    """
    if request.api == "chat":
        found = first_token(choices[0], query.options)
        scored = any(p is not None for p in found)
        return {
            "logprobs": found,
            "n_tokens": [1] * len(found),
            "mismatches": 0,
            "finish_reason": "scored" if scored else "no_option",
        }
    scores = [echoed(choice, text, at) for choice, (text, at) in zip(choices, option_texts(query), strict=True)]
    return {
        "logprobs": [score.logprob for score in scores],
        "n_tokens": [score.n_tokens for score in scores],
        "mismatches": sum(score.straddles for score in scores),
        "finish_reason": "scored",
    }


def echoed(choice: dict[str, Any], text: str, at: int) -> OptionScore:
    """The score of `text[at:]` in a choice of `completions` with `echo` (openai.types.completion_choice.Logprobs).

    Tokens of the echo are matched with the text itself: start tokens may precede it, generated ones follow it. A token
    that begins in the prompt and ends in the option counts to the option.

    Raises:
        ConfigError: the reply has no such tokens, or no log-probability for one of them.
    """
    logprobs = choice.get("logprobs")
    tokens = logprobs.get("tokens") if isinstance(logprobs, dict) else None
    values = logprobs.get("token_logprobs") if isinstance(logprobs, dict) else None
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        raise no_logprobs("completions", "a choice has no logprobs.tokens with token_logprobs")
    found = _by_tokens([str(token) for token in tokens], text, at)
    if found is None:
        found = _by_offsets(logprobs.get("text_offset") if logprobs else None, len(tokens), text, at)
    if found is None:
        raise no_logprobs("completions", f"the {len(tokens)} tokens of a choice do not spell the prompt")
    own = [number(values[i]) for i in found.positions]
    if any(p is None for p in own):
        raise no_logprobs("completions", "tokens of the prompt have no log-probability")
    return OptionScore(math.fsum(p for p in own if p is not None), len(own), found.straddles)


class _Span(NamedTuple):
    positions: range
    straddles: bool


def _by_tokens(tokens: list[str], text: str, at: int) -> _Span | None:
    """The tokens of `text[at:]`, where the tokens' own text spells `text`."""
    for spelt in (tokens, [token.translate(_PIECES) for token in tokens]):
        joined, ends = "".join(spelt), list(accumulate(map(len, spelt)))
        last = next((i for i, end in enumerate(ends) if end >= len(text) and joined[:end].endswith(text)), None)
        if last is None:
            continue
        begin = ends[last] - (len(text) - at)
        first = next(i for i, end in enumerate(ends) if end > begin)
        return _Span(range(first, last + 1), ends[first] - len(spelt[first]) != begin)
    return None


def _by_offsets(offsets: Any, n: int, text: str, at: int) -> _Span | None:
    """The tokens of `text[at:]` by where the server says that they start: for tokens that are parts of a letter."""
    if not isinstance(offsets, list) or len(offsets) != n or not all(isinstance(o, int) for o in offsets):
        return None
    inside = [i for i, offset in enumerate(offsets) if at <= offset < len(text)]
    if not inside or offsets[0] != 0:
        return None
    first = inside[0]
    straddles = offsets[first] != at
    return _Span(range(first - straddles, inside[-1] + 1), straddles)


def first_token(choice: dict[str, Any], options: Sequence[str]) -> list[float | None]:
    """Log-probability of each option as the first token of a chat answer; None where it is not listed.

    Spellings of one option ("A", " A") are added up, also lower and upper case.

    Raises:
        ConfigError: the choice lists no alternatives.
    """
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list):
        raise no_logprobs("chat", "a choice has no logprobs.content")
    first = content[0] if content else {"top_logprobs": []}
    listed = first.get("top_logprobs") if isinstance(first, dict) else None
    if not isinstance(listed, list) or (content and not listed):
        raise no_logprobs("chat", "the first token has no top_logprobs")
    shares: dict[str, float] = {}
    for token in listed:
        p = number(token.get("logprob")) if isinstance(token, dict) else None
        if p is not None and p > -9999.0:  # which stands for "very unlikely"
            word = str(token.get("token")).translate(_PIECES).strip().casefold()
            shares[word] = shares.get(word, 0.0) + math.exp(p)
    found = [shares.get(option.strip().casefold(), 0.0) for option in options]
    return [math.log(p) if p > 0 else None for p in found]
