"""The options that all benchmarks share."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from outgrow.core.config import Config
from outgrow.core.names import did_you_mean
from outgrow.tasks.benchmarks.answers import Choice, Classes
from outgrow.tasks.benchmarks.spec import Benchmark
from outgrow.tasks.splits import Size
from outgrow.tasks.table_config import DEFAULT_SPLITS, NEEDED, Splits

Posed = Literal["letters", "content", "candidates"]


class BenchmarkConfig(Config):
    """Where a public set is read from, and how its questions are dealt out and posed.

    Attributes:
        kind: the set.
        source: `hub` downloads it, `folder` reads files; null reads files where `path` or `files` are given.
        path: a folder with the set's files, as the hub or the original release has them.
        files: the set's own splits (such as train, test) to files, where their names do not tell.
        revision: of the hub's repository; null takes the newest.
        splits: our splits to sizes: 200, 0.25, rest, or {file: test, count: 200}; sizes count questions before they
            are posed as candidates or made equally frequent. By default as the paper cuts the set; where the
            folder has only one of the files, 20 % `supervisor_train`, 10 % `validation`, 20 % `test`, the rest `pool`.
        balance: `downsample` makes the classes of every split equally frequent; `keep` leaves their shares.
        limit: rows read of each of the set's own splits, from its beginning (of one in several files, from the
            first files); null reads all.
        max_new_tokens: of a generated answer; null takes what the set's answers need.
        name: of the task; by default the set's.
        seed: of the order in which questions are dealt out, and of draws of candidates.
    """

    kind: str
    source: Literal["hub", "folder"] | None = None
    path: str | None = None
    files: Annotated[dict[str, str], Field(min_length=1)] | None = None
    revision: str | None = None
    splits: Splits | None = None
    balance: Literal["keep", "downsample"] = "keep"
    limit: Annotated[int, Field(ge=1)] | None = None
    max_new_tokens: Annotated[int, Field(ge=1)] | None = None
    name: Annotated[str, Field(min_length=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    SET: ClassVar[Benchmark]
    """The set, where no option changes what it is; else `benchmark` makes it."""

    def benchmark(self) -> Benchmark:
        """The set as these options choose it."""
        return self.SET

    @property
    def from_hub(self) -> bool:
        """Whether the set is downloaded."""
        return self.source == "hub" or (self.source is None and self.path is None and self.files is None)

    @property
    def candidates(self) -> bool:
        """Whether questions are posed candidate by candidate."""
        return getattr(self, "posed", None) == "candidates"

    @model_validator(mode="after")
    def _consistent(self) -> BenchmarkConfig:
        own = self.benchmark()
        faults = []
        if self.source == "hub" and (self.path or self.files):
            faults.append("source: hub reads no files; leave out path and files, or take source: folder")
        if self.source == "folder" and not (self.path or self.files):
            faults.append("source: folder needs path (a folder) or files")
        if self.from_hub and own.hub is None:
            faults.append(f"{own.name} is on no hub in text form; give path (docs/tasks.md says which files it has)")
        known = ", ".join(own.files)
        asked = {**(self.files or {}), **{s.file: "" for s in (self.splits or {}).values() if s.file is not None}}
        faults += [f"{own.name} has no split '{n}'{did_you_mean(n, own.files)} Its own: {known}" for n in asked
                   if n not in own.files]  # fmt: skip
        if self.splits is not None:
            faults += [f"split '{split}' is missing from splits" for split in NEEDED if split not in self.splits]
        if self.balance == "downsample" and not self.candidates and not isinstance(own.answer, Classes):
            faults.append("balance: downsample needs questions that share their classes; here each has its own answers")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def dealt(self, present: tuple[str, ...]) -> dict[str, tuple[str | None, Size]]:
        """Our split to one of the set's and its size, where the splits `present` can be read.

        With `splits: null` and one file alone, all splits are taken from it.
        """
        usual = self.benchmark().splits
        only = present[0] if len(present) == 1 else None
        if self.splits is None:
            if only is not None and any(file != only for file, _ in usual.values()):
                return {split: (only, size) for split, size in DEFAULT_SPLITS.items()}
            return dict(usual)
        return {
            split: (own.file or only or usual.get(split, usual["pool"])[0], own.size)
            for split, own in self.splits.items()
        }


class ChoiceConfig(BenchmarkConfig):
    """A set of multiple-choice questions.

    Attributes:
        posed: `letters` lists the options and is answered by letter, `content` by the option's own words;
            `candidates` asks of one right and one wrong option per question whether it is right (paper 03).
    """

    posed: Posed = "letters"

    def benchmark(self) -> Benchmark:
        """The set, its options said as these options choose."""
        return replace(self.SET, answer=self.choice())

    def choice(self) -> Choice:
        """How the options are said."""
        return Choice(letters=self.posed != "content")
