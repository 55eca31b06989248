"""Text to token ids: prompts and targets are tokenised apart, the space between them belongs to the target.

Which positions are prompt and which are target is known from lengths, never looked up by token id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.core.errors import DataError


@dataclass(frozen=True)
class Dialogue:
    """A prompt behind earlier turns, what was asked and what was answered; for models that chat."""

    turns: tuple[tuple[str, str], ...]
    prompt: str


Prompt = str | Dialogue


class Coder:
    """Tokenises prompts and targets for one model.

    Args:
        tokenizer: a Hugging Face tokenizer with an end-of-sequence token.
        chat: put prompts through the chat template; targets then start without a boundary space.

    Raises:
        DataError: the tokenizer has no end-of-sequence token, or `chat` without a template.
    """

    def __init__(self, tokenizer: Any, *, chat: bool = False) -> None:
        self.tokenizer = tokenizer
        self.chat = chat
        if tokenizer.eos_token_id is None:
            raise DataError("the tokenizer has no end-of-sequence token, so a model cannot learn where an answer ends")
        if chat and not tokenizer.chat_template:
            raise DataError("chat is on, but the tokenizer has no chat template; set chat: false")
        self.eos = int(tokenizer.eos_token_id)
        self._cache: dict[str, list[int]] = {}
        empty = tokenizer("")["input_ids"]
        bos = tokenizer.bos_token_id
        self.prefix = [int(bos)] if bos is not None and empty[:1] == [bos] else []
        self.boundary = self._boundary()

    def prompts(self, texts: Sequence[Prompt]) -> list[list[int]]:
        """Token ids of each prompt, the start token included where the tokenizer sets one; never empty.

        Raises:
            DataError: a prompt has no token at all.
        """
        unique = list(dict.fromkeys(texts))
        ids = dict(zip(unique, self._encode([self._prompt(text) for text in unique]), strict=True))
        found = [self.prefix + ids[text] if not self.chat else ids[text] for text in texts]
        if not all(found):
            empty = next(text for text, tokens in zip(texts, found, strict=True) if not tokens)
            raise DataError(f"the prompt {empty!r} has no tokens; ask something")
        return found

    def targets(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each target as it follows its prompt, end-of-sequence token last.

        Raises:
            DataError: a target has no token besides the end.
        """
        pieces = [self.boundary * self._joins(prompt) + text for prompt, text in zip(prompts, texts, strict=True)]
        new = [piece for piece in dict.fromkeys(pieces) if piece not in self._cache]
        self._cache.update(zip(new, self._encode(new), strict=True))
        for piece, text in zip(pieces, texts, strict=True):
            if not self._cache[piece] or not text.strip():
                raise DataError(f"the target {text!r} has no token to learn from or to score")
        return [[*self._cache[piece], self.eos] for piece in pieces]

    def mismatches(self, prompts: Sequence[Prompt], targets: Sequence[str]) -> int:
        """How many pairs are split into other tokens when prompt and target are tokenised as one text.

        Only the prompt's last word is looked at, with the white space before it: no token reaches further.
        """
        counts = Counter(
            (_last_word(self._prompt(prompt)), self._joins(prompt), target)
            for prompt, target in zip(prompts, targets, strict=True)
        )
        tails = self._encode([tail for tail, _, _ in counts])
        apart = self._encode([self.boundary * joins + target for _, joins, target in counts])
        joint = self._encode([tail + " " * joins + target for tail, joins, target in counts])
        triples = zip(counts.values(), tails, apart, joint, strict=True)
        return sum(count for count, tail, own, both in triples if tail + own != both)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated tokens, special tokens left out, without white space around it."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def _prompt(self, prompt: Prompt) -> str:
        turns, text = (prompt.turns, prompt.prompt) if isinstance(prompt, Dialogue) else ((), prompt)
        if self.chat:
            messages = []
            for asked, answer in turns:
                messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
            messages.append({"role": "user", "content": text})
            return str(self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
        assert not turns, "a model that does not chat is shown demonstrations as text"
        return text.rstrip(" ")

    def _joins(self, prompt: Prompt) -> bool:
        """Whether a space stands before the target: not after other white space, and not after a template."""
        bare = (prompt.prompt if isinstance(prompt, Dialogue) else prompt).rstrip(" ")
        return not self.chat and bare != "" and not bare[-1].isspace()

    def _boundary(self) -> str:
        """A space, or nothing for tokenizers that put one before every text by themselves."""
        both, first, apart, bare = self._encode(["a b", "a", " b", "b"])
        return "" if first + apart != both and first + bare == both else " "

    def _encode(self, texts: Iterable[str]) -> list[list[int]]:
        texts = list(texts)
        if not texts:
            return []
        options = {"add_special_tokens": False, "return_attention_mask": False, "return_token_type_ids": False}
        return list(self.tokenizer(texts, **options)["input_ids"])


def _last_word(text: str) -> str:
    """The last word and the white space character before it, if any."""
    bare = text.rstrip()
    start = next((i for i in range(len(bare) - 1, 0, -1) if bare[i].isspace()), 0)
    return text[start:]


def cut_left(ids: list[int], limit: int, prefix: Sequence[int] = ()) -> list[int]:
    """The last `limit` tokens of a prompt, its start token kept; `limit` >= 1."""
    if len(ids) <= limit:
        return ids
    keep = list(prefix) if len(prefix) < limit and ids[: len(prefix)] == list(prefix) else []
    return keep + ids[len(ids) - (limit - len(keep)) :]
