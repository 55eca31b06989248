"""What a method is to the rest of the toolkit: a choice of training rows among answers, or a function of a lab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from outgrow.core.config import Config
from outgrow.core.encoding import encode
from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import Lab, Student
from outgrow.methods.crowd import ask_all, validation_labels
from outgrow.methods.rows import WeightMode, earliest
from outgrow.reliability import agreement, with_consensus
from outgrow.reliability.annotator_models import AUTO
from outgrow.reliability.labels import of_several

Form = Literal["corrected", "published"]
Stratify = Literal["label"] | None
Share = Annotated[float, Field(gt=0, le=1)]
Temperature = Annotated[float, Field(gt=0)]


class MethodConfig(Config):
    """Settings of one method; subclasses add fields."""


class StatesConfig(MethodConfig):
    """Settings of a method that reads hidden states.

    Attributes:
        layer: 0 is the embeddings, negative numbers count from the end.
        pool: `last` token of the prompt, `mean` over its tokens, or what a classifier of the model reads (`auto`).
    """

    layer: int = -1
    pool: Literal["auto", "last", "mean"] = "auto"


@dataclass(frozen=True)
class Known:
    """Questions whose gold was bought, apart from those to train on.

    Attributes:
        answers: of the same source, asked in the same way.
        gold: columns `example_id` and `value`.
        in_form_of: gold and labels to labels, each in its gold's own form where the task judges the two equal; without
            a task, labels as they are written.
    """

    answers: pa.Table
    gold: pa.Table
    in_form_of: Callable[[pa.Table, pa.Table], pa.Table] = lambda gold, labels: labels


@dataclass(frozen=True)
class Answered:
    """What a method that only chooses rows can see.

    Attributes:
        answers: of one source to the questions to train on (`outgrow.core.tables.ANSWERS`).
        seed: of ties and draws.
        known: where the method needs "known" and there are some.
        given: labels that somebody gave, columns `example_id` and `label`, where the method needs "given".
        posterior: of several annotators: their labels by a model of them, `reliability` = P(label is right).
        model: that model.
    """

    answers: pa.Table
    seed: int = 0
    known: Known | None = None
    given: pa.Table | None = None
    posterior: pa.Table | None = None
    model: str = ""

    @classmethod
    def by_annotators(
        cls, answers: pa.Table, estimator: str, *, seed: int = 0, known: pa.Table | None = None, **facts: Any
    ) -> Answered:
        """Answers of several annotators, whose labels a model of them makes.

        Args:
            answers: their answers.
            estimator: the model (`outgrow.reliability.annotators.MODELS`, "auto").
            seed: of ties and draws.
            known: gold of some questions, which teaches who is right.
            **facts: further attributes.

        Raises:
            As `fit_annotators`.
        """
        from outgrow.reliability.annotators import fit_annotators

        model = fit_annotators(answers, model=estimator, known=known)
        return cls(answers, seed, posterior=model.posterior_table(seed=seed), model=type(model).__name__, **facts)

    def labels(self, *, temperature: float = 0.2) -> pa.Table:
        """A label per question: by agreement, or by the model of annotators."""
        if self.posterior is not None:
            return self.posterior
        return agreement(self.answers, seed=self.seed, temperature=temperature)

    def repeated_labels(self, method: str, *, temperature: float = 0.2) -> pa.Table:
        """`labels` for a method that goes by agreement.

        Raises:
            PrerequisiteError: as `require_repeats`; a model of annotators rates single answers, too.
        """
        labels = self.labels(temperature=temperature)
        return labels if self.posterior is not None else require_repeats(labels, method)

    def measure(self) -> str:
        """The column of `labels` that weighs them."""
        return "softmax_reliability" if self.posterior is None else "reliability"

    def refuse_several(self, what: str) -> None:
        """Refuse what has a meaning for the answers of one source alone.

        Raises:
            PrerequisiteError: a model of annotators makes the labels.
        """
        if self.posterior is not None:
            raise PrerequisiteError(
                f"{what} is for answers of one source, and a model of annotators labels these; take all answers for "
                "one source's with --together, in a recipe without estimator"
            )

    @property
    def first(self) -> pa.Table:
        """Each question's answer to the identity wording, first sample (lowest variant, then sample), valid or not."""
        self.refuse_several("the first answer to a question")
        question = encode(self.answers["example_id"])
        place = earliest(self.answers, question.codes, len(question.names))
        return self.answers.take(pa.array(np.sort(place.to_numpy())))


@dataclass(frozen=True)
class TrainingSet:
    """What a method trains on.

    Attributes:
        rows: training rows (`outgrow.core.tables.ROWS`).
        labels: the labels it chose from, those it left out included (`outgrow.core.tables.LABELS`, and maybe `given`);
            None where no labels were made.
        weights: what the trainer makes of the rows' weights, see `normalise_weights`.
        notes: what a reader of the results should know.
    """

    rows: pa.Table
    labels: pa.Table | None = None
    weights: WeightMode = "mean_one"
    notes: tuple[str, ...] = ()


def tie_notes(labels: pa.Table, kept: pa.Table, measure: Literal["entropy", "reliability"]) -> tuple[str, ...]:
    """A note where the cut goes through questions that are equally certain."""
    worst = max if measure == "entropy" else min
    cut = worst(kept[measure].to_pylist())
    tied = pc.equal(labels.filter(with_consensus(labels))[measure], cut)
    if pc.sum(tied).as_py() == pc.sum(pc.equal(kept[measure], cut)).as_py():
        return ()
    return (f"The cut goes through questions of equal {measure}: which of them are kept, a seeded hash decides.",)


Choose = Callable[[Answered, Any], TrainingSet]


@dataclass(frozen=True)
class MethodSpec:
    """One method as recipes, `curate` and reports know it.

    Attributes:
        name: in a recipe.
        config: the model of its settings.
        function: the method as a function of a lab.
        uses_gold: whether it may call `lab.gold`; a report marks such arms as oracles.
        control: whether it is there for comparison and not for use.
        choose: the method as a function of tables, where it only chooses rows.
        needs: what it needs beside one supervisor's answers: questions with "known" gold, "given" labels, or answers
            of several "annotators".
        weighted: whether rows of `choose` differ in weight.
        ceiling: the method that has the same steps with gold: PGR counts up to its arm.
        objective: what it trains by where neither it nor the recipe names an objective; None is imitation.
    """

    name: str
    config: type[MethodConfig]
    function: Callable[[Lab, Any], Student]
    uses_gold: bool = False
    control: bool = False
    choose: Choose | None = None
    needs: Literal["known", "given", "annotators"] | None = None
    weighted: bool = False
    ceiling: str = "strong_ceiling"
    objective: Any = None

    @classmethod
    def choosing(
        cls, name: str, config: type[MethodConfig], choose: Choose, *, variants: int | None = None, **facts: Any
    ) -> MethodSpec:
        """A method that only chooses rows: in a lab it asks the first supervisor about the pool, and trains once.

        Where the arm names an estimator all supervisors are asked, as the annotators of that model; the answers of
        several people in one file are rated by a model in any case.

        Args:
            name: in a recipe.
            config: the model of its settings.
            choose: the method; where it needs "known", the gold of `lab.known` is bought.
            variants: wordings of each question that it asks for: 1 the identity alone, None all of the recipe.
            **facts: `needs`, `weighted`, `control`.
        """

        def function(lab: Lab, settings: Any) -> Student:
            first, select = lab.supervisors[0], None
            answers = lab.ask(first, lab.pool, variants=variants) if lab.estimator is None else ask_all(lab, lab.pool)
            if (estimator := lab.estimator or (AUTO if of_several(answers) else None)) is not None:
                answered = Answered.by_annotators(answers, estimator, seed=lab.seed)
                select = validation_labels(lab, estimator)
            else:
                known = None
                if facts.get("needs") == "known" and lab.known.num_rows:
                    known = Known(lab.ask(first, lab.known), lab.known_gold(), lab.in_form_of)
                answered = Answered(answers, lab.seed, known)
            chosen = choose(answered, settings)
            for note in chosen.notes:
                lab.note(note)
            return lab.train(lab.student, chosen.rows, weights=chosen.weights, select=select)

        return cls(name, config, function, choose=choose, **facts)

    @property
    def doc(self) -> str:
        """The first line of the function's docstring."""
        return ((self.choose or self.function).__doc__ or "").strip().splitlines()[0]


def require_repeats(labels: pa.Table, method: str) -> pa.Table:
    """`labels`, refused where one was made of a single answer.

    Raises:
        PrerequisiteError: a question that has a label was asked once, so agreement says nothing about it.
    """
    asked = np.add(labels["n_valid"].to_numpy(), labels["n_invalid"].to_numpy())[with_consensus(labels)]
    if (once := int((asked < 2).sum())) > 0:
        raise PrerequisiteError(
            f"{method} needs at least two answers to a question; {once:,} of {len(asked):,} questions have one. "
            "Leave them out, or ask them again (in a recipe: ask.variants or ask.samples of 2 or more)"
        )
    return labels
