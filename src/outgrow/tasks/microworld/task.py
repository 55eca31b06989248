"""The microworld as a task: which questions are asked, in which mix, and how they are put into words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field, model_validator

from outgrow.core.config import Config
from outgrow.core.errors import ConfigError, DataError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import (
    EXAMPLES,
    GOLD,
    SPLITS,
    Example,
    build,
    make_example_id,
)
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld import language as say
from outgrow.tasks.microworld.ladder import LADDER
from outgrow.tasks.microworld.world import (
    RELATIONS,
    VALUES,
    Fact,
    World,
    WorldConfig,
    generator,
    uniform,
)

WORDINGS_VERSION = 1
FAMILIES = ("choice", "claim", "sums")
FACT_STRATA = ("read", "helpful", "no_cue", "misleading")
SUM_STRATA = ("one_step", "two_steps")

# Shares of strata. `read`: the supervisor read the fact. The others it did not read: the name helps, says nothing,
# or misleads (and, among four options, the misleading one is offered).
MIXES: Mapping[str, Mapping[str, float]] = {
    "default": {"read": 0.5, "helpful": 0.1, "no_cue": 0.25, "misleading": 0.15},
    # One kind of error alone; the shares give supervisors of the same accuracy, so that only the kind differs.
    "ignorance": {"read": 0.7, "no_cue": 0.3},
    "misconceptions": {"read": 0.75, "misleading": 0.25},
    "natural": {},  # as the world is
    "sums": {"one_step": 0.5, "two_steps": 0.5},
}

Share = Annotated[float, Field(ge=0, le=1)]


class Counts(Config):
    """Questions per split."""

    supervisor_train: Annotated[int, Field(ge=1)] = 500
    pool: Annotated[int, Field(ge=1)] = 800
    validation: Annotated[int, Field(ge=1)] = 100
    test: Annotated[int, Field(ge=1)] = 2000
    known: Annotated[int, Field(ge=0)] = 0


class MicroworldConfig(Config):
    """What is asked of the generated world."""

    kind: Literal["microworld"] = "microworld"
    family: Literal["choice", "claim", "sums"] = "choice"
    answer: Literal["content", "letter"] = "content"
    wordings: Literal["permutations", "instructions", "mixed"] = "permutations"
    mix: str | dict[str, Share] = "default"
    supervisor_train_mix: str | dict[str, Share] = "natural"
    questions: Counts = Counts(supervisor_train=500, pool=800, validation=100, test=2000, known=0)
    reader: str = "mini"  # the base model whose reading defines the strata: the supervisor's
    world: int = 0  # the world's seed; the shipped base models know world 0
    seed: int = 0  # which questions are drawn

    @model_validator(mode="after")
    def _consistent(self) -> MicroworldConfig:
        for field in ("mix", "supervisor_train_mix"):
            mix = getattr(self, field)
            if isinstance(mix, str) and mix not in MIXES:
                raise ValueError(f"unknown {field} '{mix}'; choose one of {sorted(MIXES)} or give shares")
            if isinstance(mix, dict):
                known = SUM_STRATA if self.family == "sums" else FACT_STRATA
                if unknown := sorted(set(mix) - set(known)):
                    raise ValueError(f"unknown strata {unknown} in {field}; this family has {list(known)}")
                if abs(sum(mix.values()) - 1) > 1e-6:
                    raise ValueError(f"the shares of {field} sum to {sum(mix.values()):g}; they must sum to 1")
        if self.reader not in LADDER:
            raise ValueError(f"unknown reader '{self.reader}'; the ladder is {list(LADDER)}")
        if self.answer == "letter" and self.family != "choice":
            raise ValueError("only the family 'choice' can be answered by letter")
        return self


@dataclass(frozen=True)
class _Question:
    group: str
    question: str
    choices: tuple[str, ...] | None
    gold: str
    stratum: str
    meta: Mapping[str, object]


@lru_cache(maxsize=4)
def shared_world(seed: int) -> World:
    """The world of a seed, made once per process: its facts take a while."""
    return World(WorldConfig(seed=seed))


@lru_cache(maxsize=8)
def _drawn(config: str) -> Mapping[str, list[_Question]]:
    """The questions of a configuration, drawn once per process: every job of a run builds the same task."""
    return MicroworldTask(MicroworldConfig.model_validate_json(config)).draw()


class MicroworldTask:
    """Questions about the entities of a world, split by entity."""

    def __init__(self, config: MicroworldConfig) -> None:
        self.config = config
        self.world = shared_world(config.world)
        self.share = LADDER[config.reader].share

    @property
    def name(self) -> str:
        """For instance `microworld/choice`."""
        return f"microworld/{self.config.family}"

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Yes and no for claims; the other families have no fixed classes."""
        return ("no", "yes") if self.config.family == "claim" else None

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that have questions."""
        counts = self.config.questions
        return tuple(name for name in SPLITS if getattr(counts, name))

    @property
    def n_variants(self) -> int:
        """Distinct wordings, identity included."""
        if self.config.family == "sums":
            return len(say.SUM_TEMPLATES)
        permutations = 8 if self.config.family == "choice" else 2
        templates = len(self._templates)
        kinds = {"permutations": permutations, "instructions": templates, "mixed": permutations * templates}
        return kinds[self.config.wordings]

    @property
    def public_meta(self) -> tuple[str, ...]:
        """Nothing: strata and cues would give the answers away."""
        return ()

    @property
    def max_new_tokens(self) -> int:
        """Enough for a two-step sum with its rationale."""
        return 40 if self.config.family == "sums" else 8

    def fingerprint(self) -> str:
        """Hash of the config, its mixes spelt out, and the version of the wordings."""
        config = self.config.model_dump(mode="json")
        mixes = [
            MIXES.get(mix, mix) if isinstance(mix, str) else mix
            for mix in (config["mix"], config["supervisor_train_mix"])
        ]
        return sha256_text("microworld", WORDINGS_VERSION, config, mixes)

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
    def _questions(self) -> Mapping[str, list[_Question]]:
        return _drawn(self.config.model_dump_json())

    def draw(self) -> dict[str, list[_Question]]:
        """Every split's questions, drawn anew."""
        return {split: self._draw(split) for split in self._entities}

    def _draw(self, split: str) -> list[_Question]:
        count = getattr(self.config.questions, split)
        mix = self.config.supervisor_train_mix if split == "supervisor_train" else self.config.mix
        if self.config.family == "sums" and isinstance(mix, str):
            mix = "sums"
        shares = MIXES[mix] if isinstance(mix, str) else mix
        candidates = sorted(
            self._candidates(split), key=lambda q: sha256_text("draw", self.config.seed, q.question, q.choices)
        )
        if not shares:
            return self._first(candidates, count, split, "any")
        chosen: list[_Question] = []
        edges = [0.0]
        for share in shares.values():
            edges.append(edges[-1] + share)
        for stratum, low, high in zip(shares, edges[:-1], edges[1:], strict=True):
            wanted = round(high * count) - round(low * count)
            chosen += self._first([q for q in candidates if q.stratum == stratum], wanted, split, stratum)
        return sorted(chosen, key=lambda q: sha256_text("order", self.config.seed, q.question, q.choices))

    def _first(self, candidates: list[_Question], wanted: int, split: str, stratum: str) -> list[_Question]:
        if len(candidates) < wanted:
            raise ConfigError(
                f"task: split '{split}' needs {wanted} questions of stratum '{stratum}', the world has "
                f"{len(candidates)}; ask for fewer questions or another mix"
            )
        return candidates[:wanted]

    def _candidates(self, split: str) -> Iterator[_Question]:
        if self.config.family == "sums":
            yield from self._sums(split)
            return
        for entity in self._entities[split]:
            for relation in RELATIONS:
                fact = self.world.facts[entity][relation]
                yield self._choice(fact) if self.config.family == "choice" else self._claim(fact)

    def _choice(self, fact: Fact) -> _Question:
        rng = generator("options", self.config.seed, fact.entity, fact.relation)
        stratum = fact.stratum(self.share)
        others = [v for v in VALUES[fact.relation] if v != fact.value]
        distractors = [others[i] for i in rng.permutation(len(others))[:3]]
        if stratum == "misleading" and fact.cue is not None and fact.cue not in distractors:
            distractors[0] = fact.cue
        options = [fact.value, *distractors]
        choices = tuple(options[i] for i in rng.permutation(4))
        meta = {"stratum": stratum, "relation": fact.relation, "cue": fact.cue}
        question = say.QUESTIONS[fact.relation].format(e=fact.entity)
        return _Question(fact.entity, question, choices, fact.value, stratum, meta)

    def _claim(self, fact: Fact) -> _Question:
        rng = generator("claim", self.config.seed, fact.entity, fact.relation)
        others = [v for v in VALUES[fact.relation] if v != fact.value]
        wrong = fact.cue if fact.cue in others and rng.random() < 0.5 else others[int(rng.integers(len(others)))]
        true = bool(rng.random() < 0.5)
        value = fact.value if true else wrong
        if fact.rank < self.share:
            stratum = "read"
        elif fact.cue is None:
            stratum = "no_cue"
        else:  # the name suggests "yes" exactly when the claim names the cue
            stratum = "helpful" if (value == fact.cue) == true else "misleading"
        meta = {"stratum": stratum, "relation": fact.relation, "cue": fact.cue}
        statement = say.CLAIM_STATEMENTS[fact.relation].format(e=fact.entity, v=value)
        return _Question(fact.entity, statement, None, "yes" if true else "no", stratum, meta)

    def _sums(self, split: str) -> Iterator[_Question]:
        entities = self._entities[split]
        seen: set[str] = set()
        for i in range(3 * getattr(self.config.questions, split)):
            entity = entities[i % len(entities)]
            rng = generator("sum", self.config.seed, entity, i)
            thing = VALUES["food"][int(rng.integers(len(VALUES["food"])))]
            steps = 1 + i % 2
            total = int(rng.integers(2, 20))
            parts = [f"{entity} had {total} {thing}"]
            for _ in range(steps):
                gains = total < 2 or rng.random() < 0.5
                operand = int(rng.integers(1, 20)) if gains else int(rng.integers(1, total))
                total += operand if gains else -operand
                parts.append(f"{'got' if gains else 'lost'} {operand}")
            text = f"{', '.join(parts)}. How many {thing} are left?"
            if text in seen:
                continue
            seen.add(text)
            stratum = SUM_STRATA[steps - 1]
            yield _Question(entity, text, None, str(total), stratum, {"stratum": stratum})

    def _rows(self, split: str) -> list[tuple[str, _Question]]:
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
        """The world's truth for a split."""
        rows = self._rows(split)
        return build(
            GOLD,
            {
                "example_id": [i for i, _ in rows],
                "objective": ["truth"] * len(rows),
                "value": [q.gold for _, q in rows],
            },
        )

    # Words --------------------------------------------------------------------------------------------------

    @property
    def _templates(self) -> tuple[str, ...]:
        if self.config.family == "claim":
            return say.CLAIM_TEMPLATES
        if self.config.family == "sums":
            return say.SUM_TEMPLATES
        return say.LETTER_TEMPLATES if self.config.answer == "letter" else say.CHOICE_TEMPLATES

    def wording(self, example: Example, variant: int) -> Wording:
        """Variant 0 is the identity; see `n_variants` for the range.

        Permutations of four options: the four cyclic shifts, then those of the reversed order, so that K = 4 puts
        every option into every place once.
        """
        if not 0 <= variant < self.n_variants:
            raise ConfigError(f"variant {variant} asked of {self.name}, which has {self.n_variants} wordings")
        template, permutation = self._variant(variant)
        text = self._templates[template]
        kind = "identity" if variant == 0 else self.config.wordings
        if self.config.family == "sums":
            return Wording(text.format(p=example.question), None, None, kind, str(template), None)
        if self.config.family == "claim":
            words = ("yes", "no") if permutation == 0 else ("no", "yes")
            order: tuple[int, ...] = (0, 1) if permutation == 0 else (1, 0)
            prompt = text.format(s=example.question, first=words[0], second=words[1])
            return Wording(prompt, words, words, kind, str(template), order)
        if example.choices is None:
            raise DataError(f"example {example.example_id} has no choices")
        order = tuple((i + permutation) % 4 if permutation < 4 else (permutation - 1 - i) % 4 for i in range(4))
        values = tuple(example.choices[i] for i in order)
        shown = say.lettered(values) if self.config.answer == "letter" else say.listing(values)
        options = say.LETTERS if self.config.answer == "letter" else values
        return Wording(text.format(q=example.question, options=shown), options, values, kind, str(template), order)

    def _variant(self, variant: int) -> tuple[int, int]:
        """Template and permutation of a variant."""
        if self.config.family == "sums" or self.config.wordings == "instructions":
            return variant, 0
        if self.config.wordings == "permutations":
            return 0, variant
        templates = len(self._templates)
        permutations = self.n_variants // templates
        return variant % templates, (variant // templates + variant % templates) % permutations

    def solution(self, example: Example, value: str) -> str:
        """The worked answer of a sum; for the other families the value itself."""
        if self.config.family != "sums":
            return value
        numbers = [int(n) for n in re.findall(r"\d+", example.question)]
        signs = ["+" if word == "got" else "-" for word in re.findall(r"\b(got|lost)\b", example.question)]
        return say.solution_text(numbers, signs)

    def extract(self, text: str, example: Example, wording: Wording) -> str | None:
        """The number behind the marker of a sum, or the option that was said; None for anything else."""
        if self.config.family == "sums":
            found = re.search(r"\bSo\s+(\d{1,18})\s*\.?\s*$", text)
            return str(int(found.group(1))) if found else None
        said = text.strip().strip(".").casefold()
        for option, value in zip(wording.options or (), wording.values or (), strict=True):
            if option.casefold() == said:
                return value
        return None

    def canonicalise(self, answers: pa.Table) -> pa.Table:
        """Unchanged: `extract` already gives one form per answer."""
        return answers


def stratum_of(meta: str | None) -> str:
    """The stratum in an example's meta, empty when there is none."""
    return str(json.loads(meta).get("stratum", "")) if meta else ""


__all__ = ["MIXES", "Counts", "MicroworldConfig", "MicroworldTask", "stratum_of", "uniform"]
