"""Models in real shapes with random weights, a tokenizer for them, and questions in five permuted wordings."""

from __future__ import annotations

import random
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from outgrow.tasks.microworld.ladder import LADDER

LETTERS = ("A", "B", "C", "D")
ORDERS = ((0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2), (3, 2, 1, 0))
MICROWORLD = tuple(f"microworld/{name}" for name in LADDER)
WORDS = ("[pad]", "[end]", *LETTERS, ":", ")", "Instruction", "Question", "Options", "Answer")


@dataclass(frozen=True)
class Shape:
    """Size of a transformer, for formulas.

    Attributes:
        layers: transformer layers.
        width: of the hidden state.
        weights: numbers in the matrices of one layer.
        vocabulary: entries of the output head.
        feed_forward: of `weights`, those of the feed-forward part.
    """

    layers: int
    width: int
    weights: int
    vocabulary: int
    feed_forward: int

    @property
    def words(self) -> int:
        """How many made-up words a question may draw from."""
        return min(20_000, self.vocabulary - len(WORDS))

    def forward_flops(self, positions: float, pairs: float, places: float) -> float:
        """Additions and multiplications of a forward pass; the last feed-forward part is needed at places alone.

        Args:
            positions: tokens that go through the layers.
            pairs: (position, position that it looks at), summed over sequences.
            places: positions whose next token is predicted.
        """
        body = 2 * self.layers * (self.weights * positions + 2 * self.width * pairs)
        body -= 2 * self.feed_forward * (positions - places)
        return body + 2 * self.width * self.vocabulary * places


def config_of(name: str) -> Any:
    """Configuration of a shape by name."""
    from transformers import AutoConfig, GPT2Config, GPTNeoXConfig, LlamaConfig, Qwen3Config

    ends = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    if name in ("gpt2-124m", "tiny"):
        small = {"n_layer": 2, "n_embd": 32, "n_head": 2, "vocab_size": 300, "n_positions": 256}
        still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return GPT2Config(**ends, **still, **(small if name == "tiny" else {}))
    if name == "pythia-70m":
        return GPTNeoXConfig(
            hidden_size=512, intermediate_size=2048, num_hidden_layers=6, num_attention_heads=8, vocab_size=50304,
            max_position_embeddings=2048, tie_word_embeddings=False, **ends,
        )  # fmt: skip
    if name == "qwen-0.5b":
        return Qwen3Config(  # transformers gives any folder of a Qwen2 that model's own tokenizer
            hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, head_dim=64,
            num_key_value_heads=2, vocab_size=151936, max_position_embeddings=4096, tie_word_embeddings=True, **ends,
        )  # fmt: skip
    if name in ("llama-7m", "llama-tiny"):
        hidden, layers, vocabulary = (256, 6, 8192) if name == "llama-7m" else (32, 2, 300)
        return LlamaConfig(
            hidden_size=hidden, intermediate_size=hidden * 11 // 4, num_hidden_layers=layers, num_attention_heads=4,
            vocab_size=vocabulary, max_position_embeddings=1024, tie_word_embeddings=True, **ends,
        )  # fmt: skip
    if name in MICROWORLD:
        models = resources.files("outgrow.tasks.microworld") / "models"
        return AutoConfig.from_pretrained(str(models / name.removeprefix("microworld/")))
    raise SystemExit(
        f"no shape {name!r}; there are gpt2-124m, pythia-70m, qwen-0.5b, llama-7m, {', '.join(MICROWORLD)}"
    )


def make(name: str, folder: Path) -> tuple[Path, Shape]:
    """Write a randomly initialised model of the shape with a tokenizer of one token per word."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from outgrow.models.quiet import quiet

    config = config_of(name)
    with quiet():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
        model.save_pretrained(folder)
        _tokenizer(config.vocab_size).save_pretrained(folder)
        read = AutoTokenizer.from_pretrained(folder)("Question : w1 w12")["input_ids"]
    if len(read) != 4:
        raise SystemExit(f"{name}: a text of 4 words is read as {len(read)} tokens; lengths would not be those told")
    layer = next(own for key, own in model.named_modules() if key.endswith(("h.0", "layers.0")))
    weights = sum(own.numel() for own in layer.parameters() if own.ndim == 2)
    wide = sum(own.numel() for own in layer.mlp.parameters() if own.ndim == 2)
    return folder, Shape(config.num_hidden_layers, config.hidden_size, weights, config.vocab_size, wide)


def _tokenizer(size: int) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = [*WORDS, *(f"w{i}" for i in range(size - len(WORDS)))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[pad]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[pad]", eos_token="[end]", clean_up_tokenization_spaces=False
    )


@dataclass(frozen=True)
class Questions:
    """Multiple-choice questions, each in five wordings one after the other.

    Attributes:
        prompts: about 130 tokens; wordings of a question begin alike, up to its options.
        orders: of each prompt, the option that each letter stands for.
        shared: tokens that the wordings of a question have in common at the beginning.
        tail: tokens after that.
    """

    prompts: tuple[str, ...]
    orders: tuple[tuple[int, ...], ...]
    shared: int
    tail: int


def questions(count: int, *, known: int, instruction: int = 32, question: int = 48, option: int = 11) -> Questions:
    """Made-up questions with four options; `known` words to choose from."""
    draw = random.Random(0)

    def words(n: int) -> str:
        return " ".join(f"w{draw.randrange(known)}" for _ in range(n))

    prompts, told = [], words(instruction - 2)
    for _ in range(count):
        head = f"Instruction : {told} Question : {words(question - 2)} Options :"
        options = [words(option - 2) for _ in LETTERS]
        for order in ORDERS:
            listed = " ".join(f"{letter} ) {options[place]}" for letter, place in zip(LETTERS, order, strict=True))
            prompts.append(f"{head} {listed} Answer :")
    shared = instruction + question + 4  # "Options :" and "A )"
    return Questions(tuple(prompts), ORDERS * count, shared, len(LETTERS) * option)
