"""Tasks around a task: with wordings of several kinds (its own, paraphrases, demonstrations), or with an origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import Example
from outgrow.tasks.base import MISSING, Task, Wording
from outgrow.tasks.orders import check_variant

Kind = Literal["task", "paraphrase", "demonstrations"]
Paraphrases = Mapping[str, Sequence[str]]
"""Question id to other ways of saying the question, best first."""


@dataclass(frozen=True)
class Dealt:
    """Which kind a variant is of, and its number within the kind, from 1."""

    kind: Kind
    number: int


def deal_kinds(kinds: Sequence[Kind], limits: Mapping[str, int], variants: int) -> list[Dealt]:
    """Variants 1 to `variants` - 1, dealt to the kinds in turn; a kind that is used up is passed over.

    Args:
        kinds: the kinds, in the order of their turns; a kind may stand twice.
        limits: how many wordings each kind has besides the identity.
        variants: wordings in all, the identity included.

    Raises:
        ConfigError: the kinds together have too few.
    """
    dealt: list[Dealt] = []
    used = dict.fromkeys(kinds, 0)
    while len(dealt) < variants - 1:
        before = len(dealt)
        for kind in kinds:
            if used[kind] < limits[kind] and len(dealt) < variants - 1:
                used[kind] += 1
                dealt.append(Dealt(kind, used[kind]))
        if len(dealt) == before:
            has = ", ".join(f"{kind}: {limits[kind]}" for kind in dict.fromkeys(kinds))
            raise ConfigError(
                f"ask.variants is {variants}, but besides the identity there are only {before} wordings ({has}); "
                "lower ask.variants or add to ask.kinds"
            )
    return dealt


@runtime_checkable
class Kinds(Protocol):
    """What `outgrow.recipe.parts.Ask` says about wordings."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """In the order of their turns."""
        ...

    @property
    def variants(self) -> int:
        """Wordings per question, the identity included."""
        ...

    @property
    def demonstrations(self) -> int:
        """Solved questions before each question."""
        ...


def _dealt(task: Task, ask: Kinds) -> list[Dealt]:
    limits = {"task": task.n_variants - 1, "paraphrase": ask.variants - 1, "demonstrations": ask.demonstrations - 1}
    return deal_kinds(ask.kinds, limits, ask.variants)


def paraphrases_wanted(task: Task, ask: Kinds) -> int:
    """Paraphrases that every question needs for the wordings that `ask` wants.

    Raises:
        ConfigError: the kinds together have too few wordings.
    """
    if ask.kinds == ("task",):
        return 0
    return max((each.number for each in _dealt(task, ask) if each.kind == "paraphrase"), default=0)


def varied(task: Task, ask: Kinds, paraphrases: Paraphrases) -> Task:
    """The task itself, or with wordings of several kinds where `ask` wants them.

    Args:
        task: whose questions.
        ask: which kinds, and how many wordings.
        paraphrases: of each question as many as `paraphrases_wanted`.

    Raises:
        ConfigError: the kinds together have too few wordings.
    """
    return task if ask.kinds == ("task",) else VariedTask(task, _dealt(task, ask), paraphrases)


class VariedTask:
    """`task` with variants 1, 2, ... of the kinds in `dealt`; variant 0 stays the identity.

    Args:
        task: whose questions, gold and parsing these are.
        dealt: one entry per variant from 1 on.
        paraphrases: other ways to say each question; a question that has too few, or whose
            prompt does not show them, lacks the wording (`MISSING`).
    """

    def __init__(self, task: Task, dealt: Sequence[Dealt], paraphrases: Paraphrases) -> None:
        self._task, self._dealt, self._paraphrases = task, tuple(dealt), paraphrases
        self.n_variants = 1 + len(self._dealt)
        self.name, self.classes, self.splits = task.name, task.classes, task.splits
        self.public_meta, self.max_new_tokens = task.public_meta, task.max_new_tokens
        self.examples, self.gold, self.solution = task.examples, task.gold, task.solution
        self.extract, self.canonicalise = task.extract, task.canonicalise

    def fingerprint(self) -> str:
        """The task's, with the kinds and the paraphrases."""
        said = sorted((i, list(texts)) for i, texts in self._paraphrases.items())
        return sha256_text("varied", self._task.fingerprint(), [[d.kind, d.number] for d in self._dealt], said)

    def wording(self, example: Example, variant: int) -> Wording:
        """The identity, or a wording of the kind that the variant was dealt.

        Raises:
            ConfigError: there is no such variant.
        """
        check_variant(variant, self.name, self.n_variants)
        if variant == 0:
            return self._task.wording(example, 0)
        dealt = self._dealt[variant - 1]
        if dealt.kind == "task":
            return self._task.wording(example, dealt.number)
        if dealt.kind == "demonstrations":
            return replace(self._task.wording(example, 0), kind="demonstrations", rotation=dealt.number)
        said = self._paraphrases.get(example.example_id, ())
        if len(said) < dealt.number:
            return replace(self._task.wording(example, 0), kind=MISSING)
        reworded = self._task.wording(replace(example, question=said[dealt.number - 1]), 0)
        if reworded.prompt == self._task.wording(example, 0).prompt:  # the prompt does not hold the question's text
            return replace(reworded, kind=MISSING)
        return replace(reworded, kind="paraphrase", template=f"paraphrase {dealt.number}")


class ForeignTask(VariedTask):
    """A task that others bring, as it is; its fingerprint says whose code made the questions.

    Args:
        task: the task.
        identity: package and version, or the file, that it comes from (`outgrow.core.registry.Origin.identity`).
    """

    def __init__(self, task: Task, identity: Mapping[str, str]) -> None:
        super().__init__(task, (), {})
        self._identity = dict(identity)
        self.n_variants = task.n_variants

    def fingerprint(self) -> str:
        """The task's, with its origin."""
        return sha256_text("foreign", self._task.fingerprint(), self._identity)

    def wording(self, example: Example, variant: int) -> Wording:
        """The task's."""
        return self._task.wording(example, variant)
