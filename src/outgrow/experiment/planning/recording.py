"""A model that computes nothing and counts: the real code asks it, so padding and sharing are the real ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from outgrow.experiment.work import Pass, Passes
from outgrow.models.batching import Sequences
from outgrow.models.config import ModelRef
from outgrow.models.heads import Abilities, LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.shapes import Shape
from outgrow.models.text import Coder, Prompt

BYTES_PER_TOKEN = 4
"""Assumed where a tokenizer is not on this machine; English text in a large vocabulary has 4 to 4.5."""
PAD = -1
END, GOES_ON = 0, 1


class BytesTokenizer:
    """Stands for a tokenizer that is not here: a token for every four bytes."""

    eos_token_id, bos_token_id, pad_token_id = 0, None, None
    chat_template = name_or_path = "none"
    added_tokens_decoder: ClassVar[dict[int, Any]] = {}

    def __init__(self) -> None:
        self._ids: dict[bytes, int] = {}

    def __call__(self, texts: Any, max_length: int | None = None, **options: Any) -> dict[str, Any]:
        """Token ids of a text or of several; a limit keeps the end."""
        if isinstance(texts, str):
            return {"input_ids": self._of(texts)}
        return {"input_ids": [self._of(text)[-max_length if max_length else 0 :] for text in texts]}

    def _of(self, text: str) -> list[int]:
        raw = text.encode("utf-8")
        pieces = [raw[i : i + BYTES_PER_TOKEN] for i in range(0, len(raw), BYTES_PER_TOKEN)]
        return [self._ids.setdefault(piece, len(self._ids) + 1) for piece in pieces]

    def decode(self, ids: Sequence[int], **options: Any) -> str:
        """Nothing was said."""
        return ""

    def apply_chat_template(self, messages: Sequence[dict[str, str]], **options: Any) -> str:
        """Turns with a line of eight bytes for the template's own tokens before each; they end without reasoning."""
        start = "<|turn|>" * (1 + bool(options.get("enable_thinking")))
        return "".join(f"<|turn|>{message['content']}" for message in messages) + start


class LightCoder(Coder):
    """A coder that splits a text once, and does not look for other ways to split it."""

    def __init__(self, tokenizer: Any, *, chat: bool = False, thinking: bool | None = None) -> None:
        self._split: dict[str, list[int]] = {}
        super().__init__(tokenizer, chat=chat, thinking=thinking)

    def mismatches(self, prompts: Sequence[Prompt], targets: Sequence[str]) -> int:
        """Not looked for."""
        return 0

    def _encode(self, texts: Iterable[str]) -> list[list[int]]:
        texts = list(texts)
        new = [text for text in dict.fromkeys(texts) if text not in self._split]
        self._split.update(zip(new, super()._encode(new), strict=True))
        return [self._split[text] for text in texts]


class DenseCoder(LightCoder):
    """A coder whose ids are numbered as they are first seen, so that made-up scores need no large vocabulary."""

    def __init__(self, tokenizer: Any, *, chat: bool = False, thinking: bool | None = None) -> None:
        super().__init__(tokenizer, chat=chat, thinking=thinking)
        self._dense: dict[int, int] = {}
        self.prefix = self._number(self.prefix)

    @property
    def size(self) -> int:
        """Different tokens so far."""
        return max(1, len(self._dense))

    def prompts(self, texts: Sequence[Prompt]) -> list[list[int]]:
        """As of any coder, numbered anew."""
        prefix, self.prefix = self.prefix, []
        dense = [self._number(ids) for ids in super().prompts(texts)]
        self.prefix = prefix
        return [prefix + ids if not self.chat else ids for ids in dense]

    def targets(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[list[int]]:
        """As of any coder, numbered anew."""
        return [self._number(ids) for ids in super().targets(prompts, texts)]

    def _number(self, ids: Sequence[int]) -> list[int]:
        return [self._dense.setdefault(token, len(self._dense)) for token in ids]


@dataclass(frozen=True)
class Texts:
    """A batch of texts.

    Attributes:
        prompts: computed once each.
        width: positions of each prompt, padding included.
        slots: texts of the prompt that has most of them; every prompt gets room for as many.
        texts: of all prompts together.
        tokens: of the prompts, without padding.
    """

    prompts: int
    width: int
    slots: int
    texts: int
    tokens: int

    def passes(self, later: int) -> Passes:
        """A pass over the prompts, and one for each of `later` more tokens of all texts."""
        room = self.slots * later
        pairs = self.width**2 + self.slots * (later * self.width + self.slots * later * (later + 1) / 2)
        return Passes(
            1 + later, self.prompts * (self.width + room), self.prompts * pairs, self.prompts + self.texts * later,
            self.tokens + self.texts * later,
        )  # fmt: skip


class CountingHead(LanguageHead):
    """Records each pass and says that all answers are alike; every text ends with its second token.

    Args:
        coder: of the prompts.
        positions: longest sequence.
        trees: answers and texts may share a prompt (`Abilities`).
    """

    def __init__(self, coder: DenseCoder, positions: int, *, trees: bool = True) -> None:
        nn.Module.__init__(self)
        self.pad, self.coder = PAD, coder
        self.abilities = Abilities(direct=True, unmasked=True, share=trees, grow=trees)
        self.seen: list[Pass] = []
        self.texts: list[Texts] = []
        self.model: Any = _model(positions, self._generate)
        self.place = nn.Parameter(torch.zeros(0), requires_grad=False)  # says where the model is

    def forward(self, batch: Sequences, cache: Any = None) -> Tensor:
        """Zeros; where texts grow, scores that make one certain token."""
        rows, width = batch.ids.shape
        if cache is not None:
            return self._growing(batch, first=batch.mask is None)
        self.seen.append(Pass(rows, width, len(batch.places), int((batch.ids != PAD).sum())))
        return torch.zeros(len(batch.places), self.coder.size)

    def _growing(self, batch: Sequences, *, first: bool) -> Tensor:
        """The prompts tell the width, and the texts' second position how many texts there are."""
        rows, width = batch.ids.shape
        if first:
            tokens = int((batch.places % width + 1).sum())
            self.texts.append(Texts(rows, width, 1, rows, tokens))
        else:
            self.texts[-1] = replace(self.texts[-1], slots=width, texts=len(batch.places))
        scores = torch.full((len(batch.places), 2), -torch.inf)
        scores[:, GOES_ON if first else END] = 0.0
        return scores

    def _generate(self, input_ids: Tensor, attention_mask: Tensor, max_new_tokens: int, **options: Any) -> Tensor:
        rows, width = input_ids.shape
        self.texts.append(Texts(rows, width, 1, rows, int(attention_mask.sum())))
        for processor in options["logits_processor"]:
            processor(input_ids, torch.zeros(rows, 2))
        return torch.cat([input_ids, torch.zeros(rows, 1, dtype=input_ids.dtype)], dim=1)


class CountingClassifier(nn.Module):
    """Records each pass and says that all classes are alike."""

    def __init__(self, classes: int, positions: int) -> None:
        super().__init__()
        self.classes, self.seen = classes, list[Pass]()
        self.model: Any = _model(positions, None)

    def forward(self, batch: Sequences) -> Tensor:
        """Zeros."""
        rows, width = batch.ids.shape
        tokens = rows * width if batch.mask is None else int(batch.mask.sum())
        self.seen.append(Pass(rows, width, rows, tokens))
        return torch.zeros(rows, self.classes)


def _model(positions: int, generate: Any) -> Any:
    text = SimpleNamespace(max_position_embeddings=positions)
    config = SimpleNamespace(get_text_config=lambda: text)
    return SimpleNamespace(config=config, generate=generate, generation_config=SimpleNamespace(eos_token_id=[END]))


def counting(ref: ModelRef, shape: Shape, tokenizer: Any, classes: tuple[str, ...] | None) -> Loaded:
    """A model to be asked by the code that asks real ones; `head.seen` has its passes, `head.texts` its texts."""
    device = torch.device("cpu")
    if ref.head != "lm":
        assert classes is not None
        head: Any = CountingClassifier(len(classes), shape.positions)
        return Loaded(head, tokenizer, None, PAD, ref, classes, device)
    coder = DenseCoder(tokenizer, chat=ref.chat, thinking=ref.thinking)
    trees = ref.attention != "flash_attention_2"  # that takes no mask of pairs
    head = CountingHead(coder, shape.positions, trees=trees)
    return Loaded(head, tokenizer, coder, PAD, ref, None, device)
