"""The microworld as a task: which questions are asked, in which mix, and how they are put into words."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import ClassVar, cast

import pyarrow as pa

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import EXAMPLES, GOLD, SPLITS, Example, build, make_example_id
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld.config import MIXES, Counts, MicroworldConfig, WorldQuestions
from outgrow.tasks.microworld.families import FAMILIES, Family, Question
from outgrow.tasks.microworld.families.kind import apportion
from outgrow.tasks.microworld.world import World, WorldConfig
from outgrow.tasks.orders import check_variant

ANY = "any"


@lru_cache(maxsize=4)
def shared_world(seed: int) -> World:
    """The world of a seed, made once per process: its facts take a while."""
    return World(WorldConfig(seed=seed))


@lru_cache(maxsize=8)
def _drawn(kind: Hashable, config: str) -> Mapping[str, list[Question]]:
    """The questions of a configuration, drawn once per process: every job of a run builds the same task.

    Args:
        kind: the class of the task.
        config: its configuration, as JSON.
    """
    task = cast("type[MicroworldTask]", kind)
    return task(task.configuration.model_validate_json(config)).draw()


class MicroworldTask:
    """Questions about the entities of a world, split by entity.

    Attributes:
        classes: yes and no for claims, values or groups for kinds; the other families have no fixed classes.
        public_meta: nothing: strata and cues would give the answers away.
        max_new_tokens: enough for a two-step sum with its rationale, or for one value.
    """

    public_meta: tuple[str, ...] = ()
    configuration: ClassVar[type[WorldQuestions]] = MicroworldConfig
    families: ClassVar[Mapping[str, type[Family]]] = FAMILIES
    version: ClassVar[int] = 1  # of wordings and solutions

    def __init__(self, config: WorldQuestions) -> None:
        self.config = config
        self.world = self.make_world(config.world)
        self.family = self.families[config.family](config, self.world)
        self.name = f"{config.kind}/{config.family}"
        self.classes = config.classes
        self.splits = tuple(split for split in SPLITS if getattr(config.questions, split))
        self.n_variants = self.family.n_variants
        self.max_new_tokens = self.family.max_new_tokens

    @staticmethod
    def make_world(seed: int) -> World:
        """The world of a seed."""
        return shared_world(seed)

    def fingerprint(self) -> str:
        """Hash of the config, its mixes spelt out, and the version of wordings and solutions."""
        config = self.config.model_dump(mode="json")
        mixes = [
            MIXES.get(mix, mix) if isinstance(mix, str) else mix
            for mix in (config["mix"], config["supervisor_train_mix"])
        ]
        return sha256_text(self.config.kind, self.version, config, mixes)

    # Splits -------------------------------------------------------------------------------------------------

    @cached_property
    def _entities(self) -> dict[str, list[str]]:
        """Split -> its entities: disjoint, in proportion to the questions asked for, small ones with some to spare."""
        counts = {split: n + 6 * n**0.5 for split, n in self.config.questions.model_dump().items()}
        names = sorted(self.world.entities, key=lambda e: sha256_text("split", self.config.seed, e))
        total, start, cut = sum(counts.values()), 0, {}
        for split, count in counts.items():
            stop = start + round(len(names) * count / total)
            cut[split] = names[start:stop]
            start = stop
        return cut

    @cached_property
    def _questions(self) -> Mapping[str, list[Question]]:
        return _drawn(cast("Hashable", type(self)), self.config.model_dump_json())

    def draw(self) -> dict[str, list[Question]]:
        """Every split's questions, drawn anew."""
        return {split: self._draw(split) for split in self._entities}

    def _draw(self, split: str) -> list[Question]:
        config, count = self.config, getattr(self.config.questions, split)
        asked = {(q.question, q.choices): q for q in self.family.candidates(self._entities[split], count)}
        candidates = sorted(
            asked.values(),  # none twice
            key=lambda q: sha256_text("draw", config.seed, q.question, q.choices),
        )
        chosen: list[Question] = []
        for stratum, wanted in self._strata(split, count):
            within = [q for q in candidates if stratum in (ANY, q.stratum)]
            if config.prior is None:
                chosen += _first(within, wanted, f"split '{split}'", f"stratum '{stratum}'")
                continue
            for name, number in zip(config.classes or (), apportion(config.prior, wanted), strict=True):
                some = [q for q in within if q.gold == name]
                chosen += _first(some, number, f"split '{split}'", f"stratum '{stratum}' and class '{name}'")
        if not config.shares(split) and config.prior is None:
            return chosen
        return sorted(chosen, key=lambda q: sha256_text("order", config.seed, q.question, q.choices))

    def _strata(self, split: str, count: int) -> Iterator[tuple[str, int]]:
        """Strata of a split and how many questions of each are drawn."""
        shares = self.config.shares(split)
        if not shares:
            yield ANY, count
        low = 0.0
        for stratum, share in shares.items():
            yield stratum, round((low + share) * count) - round(low * count)
            low += share

    def _rows(self, split: str) -> list[tuple[str, Question]]:
        if split not in self._questions:
            raise DataError(f"no split '{split}'; there are {list(self._questions)}")
        return [(make_example_id(self.name, q.question, q.choices), q) for q in self._questions[split]]

    def examples(self, split: str) -> pa.Table:
        """Examples of a split; `meta` holds stratum, relation and cue, all sealed."""
        rows = self._rows(split)
        return build(
            EXAMPLES,
            {
                "example_id": [i for i, _ in rows],
                "group_id": [q.group for _, q in rows],
                "question": [q.question for _, q in rows],
                "choices": [q.choices for _, q in rows],
                "meta": [json.dumps(q.meta, sort_keys=True) for _, q in rows],
            },
        )

    def gold(self, split: str) -> pa.Table:
        """The world's truth for a split, by each objective of the family."""
        rows = [
            {"example_id": i, "objective": objective, "value": value}
            for i, q in self._rows(split)
            for objective, value in {self.family.objective: q.gold, **q.further}.items()
        ]
        return pa.Table.from_pylist(rows, GOLD)

    # Words --------------------------------------------------------------------------------------------------

    def wording(self, example: Example, variant: int) -> Wording:
        """Variant 0 is the identity; see `n_variants` for the range."""
        check_variant(variant, self.name, self.n_variants)
        return self.family.wording(example, variant)

    def solution(self, example: Example, value: str) -> str:
        """The worked answer of a sum; for the other families the value itself."""
        return self.family.solution(example, value)

    def extract(self, text: str, example: Example, wording: Wording) -> str | None:
        """The number behind the marker of a sum, or the option that was said; None for anything else."""
        return self.family.extract(text, wording)

    def canonicalise(self, answers: pa.Table) -> pa.Table:
        """Unchanged: `extract` already gives one form per answer."""
        return answers


def _first(candidates: list[Question], wanted: int, split: str, what: str) -> list[Question]:
    if len(candidates) < wanted:
        raise ConfigError(
            f"task: {split} needs {wanted} questions of {what}, the world has {len(candidates)}; ask for fewer "
            f"questions or another {'prior' if 'class' in what else 'mix'}"
        )
    return candidates[:wanted]


def stratum_of(meta: str | None) -> str:
    """The stratum in an example's meta, empty when there is none."""
    return str(json.loads(meta).get("stratum", "")) if meta else ""


__all__ = ["MIXES", "Counts", "MicroworldConfig", "MicroworldTask", "stratum_of"]
