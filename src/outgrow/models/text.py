"""Text to token ids: prompts and targets are tokenised apart, the space between them belongs to the target.

Which positions are prompt and which are target is known from lengths, never looked up by token id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from outgrow.core.errors import DataError
from outgrow.models.chat import ChatTemplate
from outgrow.tasks.parsing.reasoning import MARKS


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
        chat: put prompts through the chat template; targets then begin and end as the template's answers do.
        thinking: the template's switch for reasoning; None leaves it alone.

    Attributes:
        end: id of the token that ends a target: the end of sequence, or what the chat template ends a turn with.
        prefix: ids that the tokenizer puts before every text.

    Raises:
        ConfigError: `thinking` without such a switch in the template.
        DataError: the tokenizer has no end-of-sequence token, or `chat` without a template or with a broken one.
    """

    def __init__(self, tokenizer: Any, *, chat: bool = False, thinking: bool | None = None) -> None:
        self.tokenizer = tokenizer
        self.chat = chat
        if tokenizer.eos_token_id is None:
            raise DataError("the tokenizer has no end-of-sequence token, so a model cannot learn where an answer ends")
        if chat and not tokenizer.chat_template:
            raise DataError("chat is on, but the tokenizer has no chat template; set chat: false")
        self._template = ChatTemplate(tokenizer, thinking) if chat else None
        end = None if self._template is None else self._template.end
        self.end = int(tokenizer.eos_token_id) if end is None else end
        self._cache: dict[str, list[int]] = {}
        self._pieces: dict[int, str] = {}
        self._special, self._kept = _special(tokenizer)
        self.prefix = self._prefix()
        self.boundary = self._boundary()

    def prompts(self, texts: Sequence[Prompt]) -> list[list[int]]:
        """Token ids of each prompt, the start token included where the tokenizer sets one; never empty.

        Raises:
            DataError: a prompt has no token at all.
        """
        unique = list(dict.fromkeys(texts))
        ids = dict(zip(unique, self._encode(self._worded(unique)), strict=True))
        found = [self.prefix + ids[text] if not self.chat else ids[text] for text in texts]
        if not all(found):
            empty = next(text for text, tokens in zip(texts, found, strict=True) if not tokens)
            raise DataError(f"the prompt {empty!r} has no tokens; ask something")
        return found

    def targets(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each target as it follows its prompt, the token that ends it last.

        Raises:
            DataError: a target has no token besides the end.
        """
        pieces = [self._piece(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]
        new = [piece for piece in dict.fromkeys(pieces) if piece not in self._cache]
        self._cache.update(zip(new, self._following(new), strict=True))
        for piece, text in zip(pieces, texts, strict=True):
            if not self._cache[piece] or not text.strip():
                raise DataError(f"the target {text!r} has no token to learn from or to score")
        return [[*self._cache[piece], self.end] for piece in pieces]

    def mismatches(self, prompts: Sequence[Prompt], targets: Sequence[str]) -> int:
        """How many pairs are split into other tokens when prompt and target are tokenised as one text.

        Only the prompt's last word is looked at, with the white space before it: no token reaches further.
        """
        counts: Counter[tuple[str, str, str]] = Counter()
        for prompt, target in zip(prompts, targets, strict=True):
            piece = self._piece(prompt, target)
            counts[self._context(prompt), piece, piece if self.chat else " " * self._joins(prompt) + target] += 1
        tails = self._encode([tail for tail, _, _ in counts])
        apart = self._following([piece for _, piece, _ in counts])
        joint = self._encode([tail + text for tail, _, text in counts])
        triples = zip(counts.values(), tails, apart, joint, strict=True)
        return sum(count for count, tail, own, both in triples if tail + own != both)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated tokens without white space around it; of special tokens, marks of reasoning alone stay."""
        return self._decoded(ids).strip()

    def spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Where the text of each token begins and ends in `decode(ids)`, in characters.

        A token without text of its own (the end, a byte in the middle of a character) begins where it ends.
        """
        whole = self._decoded(ids)
        for token in set(ids) - self._pieces.keys():
            self._pieces[token] = self._decoded([token])
        pieces = [self._pieces[token] for token in ids]
        if "".join(pieces) == whole:
            ends = list(accumulate(map(len, pieces)))
        else:  # tokens that depend on their neighbours: by what has been written after each of them
            begun = [self._decoded(ids[: count + 1]) for count in range(len(ids))]
            ends = list(accumulate((len(own) if whole.startswith(own) else 0 for own in begun), max))
            ends[-1] = len(whole)
        lead, length = len(whole) - len(whole.lstrip()), len(whole.strip())
        places = [min(max(end - lead, 0), length) for end in [0, *ends]]
        return list(pairwise(places))

    def _decoded(self, ids: Sequence[int]) -> str:
        own = [token for token in ids if not self._kept or token in self._kept or token not in self._special]
        return str(self.tokenizer.decode(own, skip_special_tokens=not self._kept))

    def _worded(self, prompts: Sequence[Prompt]) -> list[str]:
        """What the model reads of each prompt."""
        if self._template is not None:
            return self._template.prompts([_messages(prompt) for prompt in prompts])
        assert all(isinstance(prompt, str) for prompt in prompts), "demonstrations are turns for models that chat alone"
        return [str(prompt).rstrip(" ") for prompt in prompts]

    def _context(self, prompt: Prompt) -> str:
        """The end of what the model reads before a target, as far back as a token may reach."""
        return _last_word(self._worded([prompt])[0]) if self._template is None else self._template.tail

    def _piece(self, prompt: Prompt, text: str) -> str:
        """A target as it follows its prompt, without the token that ends it."""
        return self.boundary * self._joins(prompt) + text if self._template is None else self._template.answer(text)

    def _following(self, pieces: Sequence[str]) -> list[list[int]]:
        """Ids of targets; behind a template's words they are split as one text with these."""
        apart = self._encode(pieces)
        if self._template is None:
            return apart
        (start,) = self._encode([self._template.tail])
        joint = self._encode([self._template.tail + piece for piece in pieces])
        return [
            both[len(start) :] if both[: len(start)] == start else own for own, both in zip(apart, joint, strict=True)
        ]

    def _joins(self, prompt: Prompt) -> bool:
        """Whether a space stands before the target: not after other white space, and not after a template."""
        bare = (prompt.prompt if isinstance(prompt, Dialogue) else prompt).rstrip(" ")
        return not self.chat and bare != "" and not bare[-1].isspace()

    def _prefix(self) -> list[int]:
        (bare,), whole = self._encode(["a"]), list(self.tokenizer("a")["input_ids"])
        at = [i for i in range(len(whole)) if bare and whole[i : i + len(bare)] == bare]
        return whole[: at[0]] if at else []

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


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    turns, text = (prompt.turns, prompt.prompt) if isinstance(prompt, Dialogue) else ((), prompt)
    said = [pair for turn in turns for pair in zip(("user", "assistant"), turn, strict=True)]
    return [{"role": role, "content": content} for role, content in [*said, ("user", text)]]


def _special(tokenizer: Any) -> tuple[frozenset[int], frozenset[int]]:
    """Ids of special tokens, and of those among them that mark reasoning."""
    special = {token.content: int(i) for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    marks = next((own for own in MARKS if own[0] in special), ())
    return frozenset(special.values()), frozenset(special[mark] for mark in marks if mark in special)


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
