"""A tokenizer's chat template: how it words a prompt, and how it opens and ends the answer to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from outgrow.core.errors import ConfigError, DataError
from outgrow.models.limits import TooMuchError, limited

SECONDS, MEMORY, CHARACTERS = 10.0, 1 << 30, 1 << 17
"""What a template may take: seconds and some for each prompt, bytes, and characters and some for each it is given."""

_QUESTION, _ANSWER = "Question7319", "Answer4826"
_REASONS = re.compile(r"<(\w+)>\s*$")

Messages = Sequence[dict[str, str]]


class ChatTemplate:
    """A chat template, and what it puts around an answer, found by rendering a made-up one.

    Args:
        tokenizer: a Hugging Face tokenizer with a chat template.
        thinking: the template's switch `enable_thinking`; None leaves it alone.

    Attributes:
        tail: what stands between a question and its answer, as the model reads it.
        opening: the beginning of every answer: a space, or an empty block of reasoning that the template writes.
        closing: what stands between an answer and the token that ends its turn, usually nothing.
        end: id of that token; None where the template ends a turn with none.

    Raises:
        ConfigError: `thinking` is given, and the template has no such switch.
        DataError: the template fails, or its text has no end.
    """

    def __init__(self, tokenizer: Any, thinking: bool | None = None) -> None:
        self.tokenizer, self.header = tokenizer, ""
        self._options: dict[str, bool] = {} if thinking is None else {"enable_thinking": thinking}
        asked = [_said("user", _QUESTION)]
        (prompt,) = self.render([asked])
        if thinking is not None and self._switched(asked, not thinking) == prompt:
            raise ConfigError(
                f"thinking: {str(thinking).lower()} changes nothing, since the chat template of "
                f"{tokenizer.name_or_path!r} has no such switch (enable_thinking); leave thinking out"
            )
        bare, whole = self.render([asked, [*asked, _said("assistant", _ANSWER)]], begin=False)
        before, found, after = whole.rpartition(_ANSWER)
        self.opening = self.closing = ""
        if found and before.startswith(prompt):
            between = before[len(prompt) :]
            if prompt == bare:  # the template does not begin the answer's turn, so that is left to us
                self.header = between.rstrip(" ")
            self.opening = between[len(self.header) :]
        elif found and (mark := _REASONS.search(prompt)):
            self.opening = f"\n</{mark[1]}>\n\n"  # the prompt opens the reasoning, which an answer alone must close
        self.tail = (prompt + self.header).rpartition(_QUESTION)[2]
        self.end: int | None = None
        tokens = _marks(tokenizer)
        pattern = re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) or r"(?!)")
        if found and (mark := pattern.search(after)):
            self.closing, self.end = after[: mark.start()], tokens[mark[0]]
        elif found and not after.strip():  # what begins the next turn ends this one, as with GLM's <|user|>
            more = [*asked, _said("assistant", _ANSWER), _said("user", _QUESTION)]
            if mark := pattern.match(self.render([more], begin=False)[0].rpartition(_ANSWER)[2].lstrip()):
                self.end = tokens[mark[0]]

    def prompts(self, conversations: Sequence[Messages]) -> list[str]:
        """What the model reads of each conversation, up to where its answer begins."""
        return [text + self.header for text in self.render(conversations)]

    def answer(self, text: str) -> str:
        """An answer as it follows a prompt, without the token that ends it; one that reasons gets no empty block."""
        mark = self.opening.split(maxsplit=1)
        return (self.opening if not mark or mark[0] not in text else "") + text + self.closing

    def render(self, conversations: Sequence[Messages], *, begin: bool = True) -> list[str]:
        """The template's text of each conversation, as it is.

        Args:
            conversations: turns, each with `role` and `content`.
            begin: whether the template is asked to begin the answer's turn.

        Raises:
            DataError: the template fails, or takes too long or too much memory, or its text is too long.
        """
        where = f"the chat template of {self.tokenizer.name_or_path!r}"
        advice = "mend it (chat_template.jinja, or chat_template in tokenizer_config.json), or set chat: false"
        found: list[str] = []
        try:
            with limited(SECONDS + 0.01 * len(conversations), MEMORY):
                for own in conversations:
                    text = self.tokenizer.apply_chat_template(
                        list(own), add_generation_prompt=begin, tokenize=False, **self._options
                    )
                    found.append(str(text))
                    if len(found[-1]) > CHARACTERS + 8 * sum(len(turn["content"]) for turn in own):
                        raise TooMuchError
        except (TooMuchError, MemoryError, RecursionError):
            raise DataError(
                f"{where} has no end: stopped after more than {SECONDS:g} seconds, {MEMORY >> 20} MiB of memory or "
                f"{CHARACTERS} characters; {advice}"
            ) from None
        except Exception as error:  # a template can raise anything
            said = " ".join(str(error).split())[:300]
            raise DataError(f"{where} fails: {type(error).__name__}: {said}; {advice}") from None
        return found

    def _switched(self, asked: Messages, thinking: bool) -> str:
        """The prompt with the switch the other way."""
        own, self._options = self._options, {"enable_thinking": thinking}
        (text,) = self.render([asked])
        self._options = own
        return text


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _marks(tokenizer: Any) -> dict[str, int]:
    """Tokens that a text is never split across, by their text: any of them may end a turn."""
    added = {token.content: int(number) for number, token in tokenizer.added_tokens_decoder.items()}
    return {text: number for text, number in added.items() if text.strip()}
