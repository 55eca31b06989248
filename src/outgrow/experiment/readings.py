"""Steps that read a model: log-probabilities of given texts and of training rows, and hidden states."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import iter_examples
from outgrow.experiment.fitting import Train
from outgrow.experiment.sources import ModelHandle, Sources, settings_of
from outgrow.experiment.steps import Size, StepRequest
from outgrow.models.config import ModelRef, with_option
from outgrow.store import Artefact, Step, Work
from outgrow.tasks.base import Task

SCORE_VERSION = 1
STATES_VERSION = 1
REFERENCE_VERSION = 1


@dataclass(frozen=True, eq=False)
class Score(StepRequest[pa.Table]):
    """Log-probabilities of targets after prompts, by teacher forcing.

    Attributes:
        sources: loads models.
        handle: the model.
        prompts: what stands before.
        targets: whose tokens are scored, end of text included.
    """

    sources: Sources
    handle: ModelHandle
    prompts: tuple[str, ...]
    targets: tuple[str, ...]

    @property
    def what(self) -> str:
        """Whose scores."""
        return f"{self.handle.source.name} scores texts"

    @cached_property
    def step(self) -> Step:
        """What identifies the scores."""
        texts = sha256_text(list(self.prompts), list(self.targets))
        config = {"model": settings_of(self.handle.ref), "device": self.sources.device,
                  "threads": self.sources.recipe.threads}  # fmt: skip
        return Step("score", SCORE_VERSION, config, {"model": self.handle.source.key, "texts": texts})

    def make(self, work: Work) -> None:
        """Score."""
        from outgrow.models.scoring import score_texts

        scores = score_texts(self.sources.load(self.handle), self.prompts, self.targets)
        columns = {
            "logprob": pa.array([score.logprob for score in scores], pa.float64()),
            "n_tokens": pa.array([score.n_tokens for score in scores], pa.int64()),
        }
        work.save_table(pa.table(columns))

    def read(self, artefact: Artefact) -> pa.Table:
        """`logprob` and `n_tokens`."""
        return artefact.table()

    def sketch(self) -> pa.Table:
        """Made-up scores, no two alike."""
        n = len(self.prompts)
        logprobs = -1.0 - np.arange(n) / (n + 1)
        return pa.table({"logprob": pa.array(logprobs), "n_tokens": pa.array(np.ones(n, np.int64))})

    def size(self) -> Size:
        """A prompt each."""
        return Size(prompts=len(self.prompts))

    @property
    def model(self) -> ModelRef | None:
        """The model."""
        return self.handle.ref


@dataclass(frozen=True, eq=False)
class Reference(StepRequest[pa.Array]):
    """What a frozen model thinks of training rows, seen as a training sees them (`training.reference`).

    Attributes:
        handle: the frozen model.
        training: whose rows, words and settings these are.
    """

    handle: ModelHandle
    training: Train

    @property
    def what(self) -> str:
        """Whose scores of what."""
        return f"{self.handle.source.name} scores the rows of {self.training.name}"

    @cached_property
    def step(self) -> Step:
        """What identifies the scores."""
        of = self.training
        config = {
            **of.sources.deciding(self.handle.ref, of.task),
            "train": {name: getattr(of.config, name) for name in ("max_length", "precision")},
            "adapter": of.config.lora is not None,  # whose base stays in the type it was loaded in
            "options": of.of_options,
        }
        return Step("reference", REFERENCE_VERSION, config, {"model": self.handle.source.key, "rows": of.rows_hash})

    def make(self, work: Work) -> None:
        """Score."""
        from outgrow.training.reference import reference_scores

        of = self.training
        scores = reference_scores(of.sources.load(self.handle), of.worded, of.config)
        work.save_table(pa.table({"reference": pa.array(scores)}))

    def read(self, artefact: Artefact) -> pa.Array:
        """A number or a list of numbers per row."""
        return artefact.table()["reference"].combine_chunks()

    def sketch(self) -> pa.Array:
        """Made-up scores."""
        return pa.array(np.full(self.training.rows.num_rows, -1.0))

    @property
    def meta(self) -> dict[str, Any]:
        """With whether gold is in it."""
        return {**super().meta, "sealed": self.training.sealed}

    def size(self) -> Size:
        """A prompt each."""
        return Size(prompts=self.training.rows.num_rows)

    @property
    def model(self) -> ModelRef | None:
        """The model."""
        return self.handle.ref


@dataclass(frozen=True, eq=False)
class HiddenStates(StepRequest[Any]):
    """Hidden states of the questions' identity prompts.

    Attributes:
        sources: loads models.
        handle: the model.
        task: words the questions.
        examples: the questions.
        layers: 0 is the embeddings, negative numbers count from the end.
        pool: `last` token of the prompt, or `mean` over its tokens.
        options: each option behind its question is read, and not the question alone.
    """

    sources: Sources
    handle: ModelHandle
    task: Task
    examples: pa.Table
    layers: tuple[int, ...]
    pool: str
    options: bool = False

    def __post_init__(self) -> None:
        """Refuse to read options where there are none."""
        if self.options and self._n_options < 2:
            raise ConfigError(
                f"task '{self.task.name}' has questions without options, and hidden states are to be read for each "
                "option; choose a task of choices, or another method"
            )

    @property
    def what(self) -> str:
        """Whose states."""
        return f"hidden states of {self.handle.source.name}"

    @cached_property
    def step(self) -> Step:
        """What identifies the states."""
        config = {**self.sources.deciding(self.handle.ref, self.task), "layers": list(self.layers), "pool": self.pool}
        config |= {"options": True} if self.options else {}
        inputs = {"model": self.handle.source.key, "questions": sha256_text(self.examples["example_id"].to_pylist())}
        return Step("hidden states", STATES_VERSION, config, inputs)

    def make(self, work: Work) -> None:
        """Read them off, and keep them as safetensors."""
        from safetensors.numpy import save_file

        from outgrow.models.hidden_states import hidden_states

        states = hidden_states(self.sources.load(self.handle), self._prompts(), self.layers, pool=self.pool)
        shape = (-1, self._n_options, *states.shape[1:]) if self.options else states.shape
        save_file({"states": states.cpu().reshape(shape).numpy()}, work.out / "states.safetensors")

    @cached_property
    def _n_options(self) -> int:
        """Of the first question; two, should there be none."""
        first = next(iter(iter_examples(self.examples.slice(0, 1))), None)
        return 2 if first is None else len(self.task.wording(first, 0).options or ())

    def _prompts(self) -> list[str]:
        wordings = [(each, self.task.wording(each, 0)) for each in iter_examples(self.examples)]
        if not self.options:
            return [wording.prompt for _, wording in wordings]
        for example, wording in wordings:
            if len(wording.options or ()) != self._n_options:
                raise ConfigError(
                    f"question {example.example_id!r} has {len(wording.options or ())} options, the first one "
                    f"{self._n_options}; hidden states of options need as many for every question"
                )
        return [with_option(wording.prompt, text) for _, wording in wordings for text in wording.options or ()]

    def read(self, artefact: Artefact) -> Any:
        """Float32 (questions, layers, width), of options (questions, options, layers, width)."""
        from safetensors.numpy import load_file

        return load_file(artefact.path("states.safetensors"))["states"]

    def sketch(self) -> Any:
        """States of one dimension."""
        each = (self._n_options,) if self.options else ()
        return np.zeros((self.examples.num_rows, *each, len(self.layers), 1), np.float32)

    def size(self) -> Size:
        """A prompt each, or one for each option."""
        return Size(prompts=self.examples.num_rows * (self._n_options if self.options else 1))

    @property
    def model(self) -> ModelRef | None:
        """The model."""
        return self.handle.ref
