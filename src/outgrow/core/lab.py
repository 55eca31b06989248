"""What a method works with: whom it can ask, what it can train, and the protocol of the lab that offers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

import pyarrow as pa


@dataclass(frozen=True)
class Source:
    """Who answers: an untuned model, or a model trained by the lab (a student is a source too).

    `key` identifies the artefact that holds the weights; `name` is what answers call it.
    """

    name: str
    key: str


@dataclass(frozen=True)
class Student(Source):
    """A model trained by the lab, with the facts of its training that a report prints."""

    n_rows: int = 0
    n_questions: int = 0
    steps: int = 0
    chosen_step: int = 0


@dataclass(frozen=True)
class How:
    """How a source is asked; what is None is as the recipe says.

    Attributes:
        variants: wordings of each question, the identity first.
        samples: answers per wording.
        temperature: of sampling; 0 is greedy. The identity's first answer is always greedy.
        decoding: `options`, `generate` or `classify`.
        beams: texts that a beam search keeps for each wording; they are the samples, the best first. 1 searches none.
    """

    variants: int | None = None
    samples: int | None = None
    temperature: float | None = None
    decoding: str | None = None
    beams: int | None = None

    def settings(self) -> dict[str, Any]:
        """Every setting by name, None where it is left open."""
        return {"variants": self.variants, "samples": self.samples, "temperature": self.temperature,
                "decoding": self.decoding, "beams": self.beams}  # fmt: skip


ONCE = How(variants=1, samples=1, temperature=0.0)
"""Every question once, in the identity wording, without chance."""


@dataclass(frozen=True)
class Near:
    """The checkpoint that has gone furthest from the reference, and not too far: no label is needed.

    Distance is the Kullback-Leibler divergence KL(student | reference) on validation questions: of the choice among
    options, or where texts are written of a text drawn from the student, divided by its tokens.

    Attributes:
        kl: most nats a question, or a token; where all checkpoints are further away, the nearest is kept.
    """

    kl: float


Select: TypeAlias = Literal["weak", "gold", "last"] | pa.Table | Near | None


@dataclass(frozen=True)
class Probe:
    """How answers are read off the hidden states of a model that is kept as it is (`outgrow.reliability.probes`).

    Attributes:
        kind: `nearest_centroid` or `logistic` regression, which read classes; or `contrast_consistent` search, which
            reads each option behind its question, and learns no more from rows than which of two sides is true.
        layer: 0 is the embeddings, negative numbers count from the end.
        pool: `last` token of the prompt, `mean` over its tokens, or what a classifier of the model reads (`auto`).
        c: inverse strength of the penalty of `logistic` and `contrast_consistent`.
    """

    kind: Literal["nearest_centroid", "logistic", "contrast_consistent"] = "nearest_centroid"
    layer: int = -1
    pool: Literal["auto", "last", "mean"] = "auto"
    c: float = 1.0

    @property
    def of_options(self) -> bool:
        """Whether it reads a state for each option of a question."""
        return self.kind == "contrast_consistent"


@runtime_checkable
class Lab(Protocol):
    """The bench on which a method works: it offers the steps that cost something.

    `pool`, `validation`, `known` and `supervisor_train` are examples tables without gold and with public meta only.
    Their ids are opaque, and their order, as that of every table a lab gives, is drawn by hash: neither tells gold.
    """

    @property
    def seed(self) -> int:
        """Of this repetition: draws, ties and training."""
        ...

    @property
    def pool(self) -> pa.Table:
        """The questions to train on, without gold."""
        ...

    @property
    def validation(self) -> pa.Table:
        """Further questions without gold."""
        ...

    @property
    def known(self) -> pa.Table:
        """Questions whose gold labels may be bought; empty where the task has none."""
        ...

    @property
    def supervisor_train(self) -> pa.Table:
        """Questions that supervisors were tuned on; empty where the task has none."""
        ...

    @property
    def supervisors(self) -> tuple[Source, ...]:
        """The weak supervisors, tuned, in the recipe's order."""
        ...

    @property
    def models(self) -> tuple[Source, ...]:
        """The recipe's further base models, between weak and strong, each with its own pretrained weights."""
        ...

    @property
    def student(self) -> Source:
        """The strong model before training."""
        ...

    @property
    def head(self) -> Literal["lm", "classifier", "reward"]:
        """What sits on the student: see `outgrow.models.config.ModelRef`."""
        ...

    @property
    def length_normalise(self) -> Literal["tokens", "bytes"] | None:
        """What log-probabilities of options are divided by before the student compares them."""
        ...

    @property
    def variants(self) -> int:
        """The recipe's number of wordings per question, identity included."""
        ...

    @property
    def estimator(self) -> str | None:
        """The model of annotators that labels for this arm, from all supervisors' answers; None takes the first's."""
        ...

    @property
    def training(self) -> Mapping[str, Any]:
        """The recipe's `train`, as plain values."""
        ...

    def ask(
        self, source: Source, questions: pa.Table, how: How | None = None, *, variants: int | None = None
    ) -> pa.Table:
        """Answers of `source` to any questions of the lab, matched by id.

        Args:
            source: a supervisor, a model, or a student trained here.
            questions: rows of `pool`, `validation` or `known`, any subset of one of them.
            how: how it is asked; by default as the recipe says, which all arms share.
            variants: of the recipe's answers those to the first wordings; 1 is the identity's first answer alone.
        """
        ...

    def tokens(self, source: Source, questions: pa.Table, how: How) -> pa.Table:
        """The tokens of the answers that `ask` gives for the same arguments (`core.tables.TOKENS`).

        Raises:
            ConfigError: the source does not write texts, or is not on this machine.
        """
        ...

    def train(
        self,
        start: Source,
        rows: pa.Table,
        objective: Any = None,
        *,
        weights: Literal["mean_one", "raw"] = "mean_one",
        stage: str = "",
        select: Select = None,
        settings: Mapping[str, Any] = MappingProxyType({}),
        reference: Source | None = None,
        only: Literal["all", "head"] = "all",
        draw: int = 0,
        head: Literal["lm", "classifier", "reward"] | None = None,
    ) -> Student:
        """`start` fine-tuned on `rows`; prompts and targets that are not in words yet are put into words.

        Args:
            start: a supervisor, a model, the student, or a model trained here.
            rows: training rows or pairs (`core.tables.ROWS`, `PAIRS`) about questions of the lab.
            objective: the loss; imitation by default.
            weights: `mean_one` divides weights by their mean, `raw` takes them as they are.
            stage: names the training where a method has several.
            select: the checkpoint that agrees best with the supervisor's answers to `validation` (`weak`), with its
                gold (for methods declared `uses_gold=True`), with a table of labels for it (`example_id`, `value`), the
                one that has gone furthest while still `Near` the reference (`start` where there is none), or the
                `last`. None is `gold` for methods declared so and `weak` for others.
            settings: what differs from the recipe's `train`.
            reference: a model, kept as it is, whose log-probabilities of the rows the objective gets as the field
                `reference` (`outgrow.training.reference`); where training starts from it, they are the student's own.
                None is `start` for an objective that needs one (`needs_reference`), and nothing for others.
            only: `head` trains a classifier's last layer alone.
            draw: another number is another order of rows, and other new weights, on the same labels.
            head: what sits on the result; None is what `start` has, and another is put on base models alone.
        """
        ...

    def pretrain(
        self, start: Source, questions: pa.Table, *, stage: str = "", settings: Mapping[str, Any] = MappingProxyType({})
    ) -> Student:
        """A base model after language modelling on the texts of questions, to be trained on labels under its own head.

        Args:
            start: a causal base model.
            questions: as for `ask`: identity wordings, and where they have options each option behind its wording.
            stage: as for `train`.
            settings: what differs from the recipe's `train`; a `lora` is left out, all weights are trained.
        """
        ...

    def derive(self, start: Source, rows: pa.Table, probe: Probe, *, stage: str = "") -> Student:
        """A source that answers identity wordings by a probe of the hidden states of `start`, which is not trained.

        Args:
            start: a model on this machine.
            rows: training rows about questions of the lab; their prompts are the identity wordings.
            probe: how it reads them.
            stage: as for `train`.
        """
        ...

    def contrast(
        self, plus: Source, minus: Source, *, base: Source | None = None, alpha: float = 1.0, stage: str = ""
    ) -> Student:
        """A source that answers by what changed from `minus` to `plus`, as it is or added to a third model.

        Options are scored as a whole by `log p_base + alpha (log p_plus - log p_minus)`, texts written token by token
        from `z_base + alpha (z_plus - z_minus)` (arXiv 2405.19262, 2607.26246). With a reference as `minus` and no
        base this is the implicit reward of a model trained by DPO.

        Args:
            plus: a model on this machine.
            minus: a model of the same head, and for texts of the same vocabulary.
            base: likewise; without it options alone can be compared.
            alpha: how much of the change is added.
            stage: as for `train`.
        """
        ...

    def best_of(
        self, writer: Source, judge: Source, *, samples: int = 8, temperature: float = 1.0, stage: str = ""
    ) -> Student:
        """A source that says what `judge` gives the highest reward among several answers of `writer`.

        Only answers that can be read are chosen, where there are any; at equal rewards the first drawn.

        Args:
            writer: a model on this machine.
            judge: a model with head `reward`.
            samples: answers of `writer` to each wording; the first to the identity is greedy.
            temperature: of sampling.
            stage: as for `train`.
        """
        ...

    def joint(
        self, sources: Sequence[Source], *, weights: Sequence[float | int] | None = None, beams: int = 1,
        stage: str = "",
    ) -> Student:  # fmt: skip
        """A source of several models that decide together (joint decoding, arXiv 2406.03199).

        Options are scored by the weighted mean of the models' log-probabilities, normalised; of texts each model
        proposes its own, and that with the highest weighted mean log-probability of a token is the answer.

        Args:
            sources: models on this machine, at least two.
            weights: of each, at least 0; equal by default.
            beams: texts that each proposes, by a beam search; 1 is its greedy one.
            stage: as for `train`.
        """
        ...

    def prompt(self, start: Source, rows: pa.Table, *, stage: str = "") -> Student:
        """`start`, a base language model, as it is, with rows as demonstrations before each question.

        Args:
            start: the model.
            rows: training rows about questions of the lab, in the order they are shown.
            stage: as for `train`.
        """
        ...

    def score(self, source: Source, prompts: Sequence[str], targets: Sequence[str]) -> pa.Table:
        """Log-probabilities of targets after prompts by teacher forcing.

        Returns:
            `logprob` (natural log, end of text included) and `n_tokens`, in the order of the prompts.
        """
        ...

    def activations(self, source: Source, questions: pa.Table, layers: Sequence[int], *, pool: str = "last") -> Any:
        """Hidden states of the identity prompts, float32 (questions, layers, width), in the order of the questions.

        Args:
            source: a model on this machine.
            questions: as for `ask`.
            layers: 0 is the embeddings, negative numbers count from the end.
            pool: `last` token of the prompt, `mean` over its tokens, or `auto`, what a classifier of the model reads.
        """
        ...

    def do(self, step: Any) -> Any:
        """The result of a step of the method's own kind (`outgrow.experiment.steps.StepRequest`), kept in the store."""
        ...

    def note(self, text: str) -> None:
        """Something a reader of the results should know about this arm."""
        ...

    def known_gold(self, objective: str | None = None) -> pa.Table:
        """Gold labels of `known`, of the recipe's objective or another; the report says how many an arm has bought."""
        ...

    def in_form_of(self, gold: pa.Table, answers: pa.Table) -> pa.Table:
        """`answers` (or labels), each value in its gold's own form where the task judges the two equal."""
        ...

    def gold(self, questions: pa.Table) -> pa.Table:
        """Gold labels of `questions`, for methods that declared `uses_gold=True`; others get `SealedError`."""
        ...
