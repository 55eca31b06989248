"""Which model, and which parts of it are used. Nothing here needs torch, so a recipe can be read without it."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from outgrow.core.config import Config, Settled

REWARD = ("reward",)
"""The one class of head `reward`."""


def with_option(prompt: str, option: str) -> str:
    """What head `reward` reads: the question and one of its options, with a blank between."""
    return f"{prompt.rstrip()} {option.lstrip()}"


class ModelRef(Settled):
    """A model by name, and the parts of it that are used.

    Attributes:
        model: a hub name, a folder in Hugging Face format, or a model that ships with outgrow (`microworld/base`).
        revision: hub revision (branch, tag or commit); null for the default branch.
        head: `lm` scores or generates text; `classifier` puts a linear layer over the pooled hidden state; `reward`
            does so with one output, for each option read behind its question: the softmax of the rewards are its
            probabilities.
        layers: keep only the first n transformer layers; null keeps them all.
        dtype: the type the weights are held in; `auto` takes bfloat16 on a GPU that has it, else float32.
        quantise: hold the weights in 8 or 4 bits (extra `quantise`); such a model is asked as it is or trained with
            LoRA.
        trust_remote_code: run code that comes with the model; off unless a recipe says otherwise.
        pooling: what the classifier head reads: first token, mean over tokens, or last token.
        chat: put prompts through the tokenizer's chat template; answers then begin and end as the template has it.
        thinking: the chat template's switch for reasoning (`enable_thinking`), where it has one; null leaves it alone.
        attention: which implementation the model uses; `auto` leaves it to transformers. `flash_attention_2` needs a
            GPU and the package flash-attn.
        head_start: what a new classifier layer starts from: `random` numbers, or the `unembedding`, a language model's
            own scores of the first token of each class's name (classes that begin alike start alike).
        length_normalise: what head `lm` divides the log-probabilities of options by before it compares them: their
            `tokens` or UTF-8 `bytes`; null compares them as they are.
    """

    LATER: ClassVar[tuple[str, ...]] = ("attention", "head_start", "length_normalise", "thinking")

    model: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    head: Literal["lm", "classifier", "reward"] = "lm"
    layers: Annotated[int, Field(ge=1)] | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    quantise: Literal["8bit", "4bit"] | None = None
    trust_remote_code: bool = False
    pooling: Literal["auto", "cls", "mean", "last"] = "auto"
    chat: bool = False
    thinking: bool | None = None
    attention: Literal["auto", "sdpa", "eager", "flash_attention_2"] = "auto"
    head_start: Literal["random", "unembedding"] = "random"
    length_normalise: Literal["tokens", "bytes"] | None = None

    @model_validator(mode="after")
    def _start_of_a_classifier(self) -> ModelRef:
        if self.head_start != "random" and self.head != "classifier":
            raise ValueError(
                f"head_start: {self.head_start} is of head: classifier; leave it out with head: {self.head}"
            )
        return self

    @model_validator(mode="after")
    def _options_are_compared_by_a_language_model(self) -> ModelRef:
        if self.length_normalise is not None and self.head != "lm":
            raise ValueError(f"length_normalise: {self.length_normalise} is of head: lm; leave it out with {self.head}")
        return self

    @model_validator(mode="after")
    def _thinking_in_a_chat(self) -> ModelRef:
        if self.thinking is not None and not self.chat:
            raise ValueError(
                f"thinking: {str(self.thinking).lower()} is a switch of chat templates; set chat: true, or leave it out"
            )
        return self


class Lora(Config):
    """A low-rank adapter (arXiv 2106.09685): W + (alpha / r) B A with B and A of rank r; W itself is not trained."""

    r: Annotated[int, Field(ge=1)] = 8
    alpha: Annotated[float, Field(gt=0)] = 16.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"

    @field_validator("target_modules")
    @classmethod
    def _pattern(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(value, str):
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"{value!r} is no regular expression: {error}; or give a list of names") from None
        return value
