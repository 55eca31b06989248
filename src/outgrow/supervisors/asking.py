"""How questions are put to anyone, and supervisors that are not models on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.core.journal import Records
from outgrow.core.lab import How, Source
from outgrow.core.names import resolve
from outgrow.supervisors import SUPERVISORS
from outgrow.supervisors.config import FileSupervisor, ServerSupervisor
from outgrow.supervisors.queries import Decoding, Turn, pose
from outgrow.tasks.base import Task

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Asking:
    """How questions are put: wordings of each, samples of each wording, and how an answer is taken.

    Attributes:
        variants: wordings, the identity included.
        samples: answers per wording.
        temperature: of sampling; 0 is greedy.
        seed: of the draws.
        decoding: see `outgrow.recipe.parts.Ask`.
        turns: demonstrations shown before each question.
        beams: texts of a beam search, in place of samples; 1 searches none.
        first_only: of a file, which otherwise gives all the answers it has, the first to the identity alone.
    """

    variants: int
    samples: int
    temperature: float
    seed: int
    decoding: Decoding
    turns: tuple[Turn, ...] = ()
    first_only: bool = False
    beams: int = 1

    def shown(self, turns: tuple[Turn, ...]) -> Asking:
        """The same with demonstrations."""
        return replace(self, turns=turns)

    def put(self, how: How, task: Task) -> Asking:
        """The same, with what `how` says.

        Raises:
            ConfigError: more wordings than the task has.
        """
        given = {name: value for name, value in how.settings().items() if value is not None}
        if (variants := given.get("variants", 1)) > task.n_variants:
            raise ConfigError(f"{variants} variants asked of {task.name}, which has {task.n_variants}")
        return replace(self, **given)

    def settings(self) -> dict[str, Any]:
        """Arguments of an `answer` function; the seed is 0 where nothing is drawn, so that answers can be shared."""
        drawn = self.samples > 1 or self.temperature > 0
        return {
            "variants": self.variants,
            "samples": self.samples,
            "temperature": self.temperature,
            "decoding": self.decoding,
            "seed": self.seed if drawn else 0,
            "turns": self.turns,
            **({"beams": self.beams} if self.beams != 1 else {}),
        }

    @property
    def texts(self) -> int:
        """Answers that each wording gets, at most."""
        return max(self.samples, self.beams)

    def decisive(self) -> dict[str, Any]:
        """What a store's key needs of it."""
        settings = self.settings()
        turns = settings.pop("turns")
        if turns:
            settings["turns"] = sha256_text([list(turn) for turn in turns])
        return {**settings, "first_only": True} if self.first_only else settings


@dataclass(frozen=True)
class Elsewhere:
    """A server, a file of answers or a kind that others bring: it can be asked, not trained.

    Attributes:
        source: its name, and a key that stands for what decides its answers.
        config: its part of the recipe.
        folder: where its files are.
    """

    source: Source
    config: Any
    folder: Path

    @classmethod
    def of(cls, config: Any, folder: Path) -> Elsewhere:
        """A supervisor of a recipe.

        Raises:
            DataError: a file that does not exist.
        """
        if isinstance(config, FileSupervisor):
            from outgrow.supervisors.file import identity

            key = identity(config, folder)
        elif isinstance(config, ServerSupervisor):
            key = sha256_text("server", config.identity())
        else:
            plain = config.model_dump(mode="json", exclude={"name"})
            key = sha256_text(config.kind, plain, SUPERVISORS.entry(config.kind).identity())
        return cls(Source(config.name, key), config, folder)

    @property
    def kind(self) -> str:
        """`server`, `file`, or what others call theirs."""
        return str(self.config.kind)

    @property
    def apart(self) -> bool:
        """Whether its answers are of several annotators, each under its own name."""
        return isinstance(self.config, FileSupervisor) and self.config.apart

    def answer(
        self, task: Task, examples: pa.Table, asking: Asking, *, journal: Records | None, progress: Progress | None
    ) -> pa.Table:
        """Answers (`records.ANSWERS`) to the questions; the metadata of a server's table holds its `usage` as JSON."""
        if asking.beams != 1:
            raise ConfigError(f"'{self.source.name}' is a {self.kind}: beam search needs a model on this machine")
        if isinstance(self.config, FileSupervisor):
            from outgrow.supervisors.file import answer as look_up

            return look_up(self.config, self.folder, task, examples, first_only=asking.first_only)
        if not isinstance(self.config, ServerSupervisor):
            reply = resolve(SUPERVISORS[self.kind].answer)
            table: pa.Table = reply(self.config, self.folder, task, examples, asking)
            return table
        from outgrow.supervisors.server import answer as ask

        settings = asking.settings()
        queries = pose(task, examples, settings.pop("variants"), settings.pop("turns"))
        return ask(self.config, task, queries, source="model", **settings, journal=journal, progress=progress)
