"""Sources that answer by a probe of a model's hidden states: how one is fitted, and how it answers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.arrays import Float
from outgrow.core.errors import ConfigError, DataError
from outgrow.core.lab import Probe, Student
from outgrow.experiment.composing import DerivedAnswer
from outgrow.experiment.fitting import save_untrained
from outgrow.experiment.sources import ModelHandle, ProbeHandle, Sources, content_hash, model_folder
from outgrow.experiment.steps import Size, StepRequest
from outgrow.reliability.contrast import AnyStates, ContrastProbe, contrast_consistent
from outgrow.reliability.probes import LinearProbe, Shares, logistic, nearest_centroid
from outgrow.store import Artefact, Step, Work
from outgrow.supervisors.queries import Found, answers_table, pose, scored_answer
from outgrow.tasks.base import Task

PROBE_VERSION = 2
PROBE_ANSWER_VERSION = 1


@dataclass(frozen=True, eq=False)
class FitProbe(StepRequest[Student]):
    """A probe fitted to the labels of some questions.

    Attributes:
        sources: gets to know the result.
        start: whose hidden states are read.
        task: of the questions.
        examples: the question of each row.
        rows: training rows (`core.tables.ROWS`), weights settled.
        states: hidden states of the rows' questions, row by row, or of their options.
        probe: how they are read.
        name: what answers of the result are called.
        sealed: the rows hold gold.
    """

    sources: Sources
    start: ModelHandle
    task: Task
    examples: pa.Table
    rows: pa.Table
    states: AnyStates
    probe: Probe
    name: str
    sealed: bool

    @property
    def what(self) -> str:
        """What is fitted."""
        return f"fitting {self.name}"

    @property
    def meta(self) -> dict[str, Any]:
        """With whether gold is in it."""
        return {"detail": self.name, "sealed": self.sealed}

    @cached_property
    def step(self) -> Step:
        """What identifies the result."""
        config = {
            **self.sources.deciding(self.start.ref, self.task), "probe": asdict(self.probe), "sealed": self.sealed,
        }  # fmt: skip
        return Step("probe", PROBE_VERSION, config, {"model": self.start.source.key, "rows": content_hash(self.rows)})

    def make(self, work: Work) -> None:
        """Fit."""
        from safetensors.numpy import save_file

        classes, shares = shares_of(self.rows)
        fitted = self._of_options(classes, shares) if self.probe.of_options else self._of_classes(shares)
        folder = work.out / "model"
        folder.mkdir()
        save_file({"mean": fitted.mean, "weight": fitted.weight, "bias": fitted.bias}, folder / "probe.safetensors")
        unit = isinstance(fitted, LinearProbe) and fitted.unit
        about = {**asdict(self.probe), "classes": classes, "unit": unit, "model": self.start.ref.model}
        facts = {**about, "trained": None if self.start.weights is None else self.start.source.key}
        (folder / "probe.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        save_untrained(work, self.rows)

    def _of_classes(self, shares: Shares) -> LinearProbe:
        if 1 < self.rows.num_rows == shares.shape[1]:
            raise DataError(
                f"{self.name}: each of {self.rows.num_rows:,} labels is another, and a probe reads classes that "
                "questions share; choose a task with such classes, or another method"
            )
        weight = np.asarray(self.rows["weight"].to_numpy(), dtype=np.float64)
        fit = nearest_centroid if self.probe.kind == "nearest_centroid" else partial(logistic, c=self.probe.c)
        return fit(self.states, shares * weight[:, None])

    def _of_options(self, classes: list[str], shares: Shares) -> ContrastProbe:
        said = [classes[place] for place in shares.argmax(axis=1)]
        options = [query.values or () for query in pose(self.task, self.examples, 1)]
        places = np.array([values.index(value) for values, value in zip(options, said, strict=True)])
        return contrast_consistent(self.states, places, c=self.probe.c)

    def read(self, artefact: Artefact) -> Student:
        """The probe, which can be asked from now on."""
        return self._student(artefact)

    def sketch(self) -> Student:
        """A probe that nobody fitted."""
        return self._student(None)

    def _student(self, artefact: Artefact | None) -> Student:
        questions = len(set(self.rows["example_id"].to_pylist()))
        student = Student(self.name, self.step.key, self.rows.num_rows, questions)
        self.sources.know(ProbeHandle(student, self.start, artefact, self.probe))
        return student

    def size(self) -> Size:
        """Its rows."""
        return Size(rows=self.rows.num_rows)


@dataclass(frozen=True, eq=False)
class ProbeAnswer(DerivedAnswer):
    """Answers (`core.tables.ANSWERS`) of a probe to the identity wordings of some questions.

    Attributes:
        handle: the probe.
        states: hidden states of the questions.
    """

    handle: ProbeHandle
    states: AnyStates

    def __post_init__(self) -> None:
        """Refuse what a probe cannot be asked."""
        if (self.asking.variants, self.asking.samples) != (1, 1):
            raise ConfigError(
                f"'{self.handle.source.name}' is a probe of hidden states, which answers each question once; ask it "
                "with variants=1"
            )

    @cached_property
    def step(self) -> Step:
        """What identifies the answers."""
        config = self.sources.deciding(self.handle.base.ref, self.task)
        inputs = {"model": self.handle.source.key, "questions": self.questions}
        return Step("probe answer", PROBE_ANSWER_VERSION, config, inputs)

    def make(self, work: Work) -> None:
        """Read them off; each question's options share the probability, and classes never labelled have none."""
        assert self.handle.weights is not None
        classes, probe = load_probe(self.handle.weights)
        place = {name: i for i, name in enumerate(classes)}
        queries, found = pose(self.task, self.examples, 1), list[list[Found]]()
        for query, logs in zip(queries, probe.logs(self.states), strict=True):
            options = query.options or self.task.classes or classes
            values = query.values or options
            known = logs
            if isinstance(probe, LinearProbe):
                known = np.array([logs[place[value]] if value in place else -np.inf for value in values])
            if not np.isfinite(known).any():
                found.append([{"finish_reason": "scored"}])
                continue
            logprobs = np.maximum(known - np.logaddexp.reduce(known), -1e3)
            found.append([scored_answer(int(known.argmax()), options, values, logprobs, np.exp(logprobs))])
        table = answers_table(queries, found, source="model", metadata={"decoding": "probe"})
        work.save_table(self.task.canonicalise(table))

    def size(self) -> Size:
        """A prompt each."""
        return Size(prompts=self.examples.num_rows)


def shares_of(rows: pa.Table) -> tuple[list[str], Shares]:
    """Classes in alphabetical order, and the probability of each in the label of each row."""
    labels = [
        {row["target"]: 1.0} if row["target"] is not None else dict(row["probabilities"])
        for row in rows.select(["target", "probabilities"]).to_pylist()
    ]
    classes = sorted({name for label in labels for name in label})
    place = {name: i for i, name in enumerate(classes)}
    shares: Float[np.ndarray, "n classes"] = np.zeros((len(labels), len(classes)))
    for i, label in enumerate(labels):
        for name, share in label.items():
            shares[i, place[name]] += share
    return classes, shares


@dataclass(frozen=True)
class ReadProbe:
    """What the result of a step says of a probe: how it reads, and the key of the training behind its model, if any."""

    probe: Probe
    trained: str | None


def probe_of(artefact: Artefact) -> ReadProbe | None:
    """The probe in the result of a step; None where a model was trained."""
    if not any(name.endswith("probe.json") for name in artefact.files):
        return None
    facts = json.loads((model_folder(artefact) / "probe.json").read_text(encoding="utf-8"))
    return ReadProbe(Probe(**{each.name: facts[each.name] for each in fields(Probe)}), facts["trained"])


def load_probe(artefact: Artefact) -> tuple[list[str], LinearProbe | ContrastProbe]:
    """The classes of a fitted probe, and the probe."""
    from safetensors.numpy import load_file

    folder = model_folder(artefact)
    facts, arrays = (
        json.loads((folder / "probe.json").read_text(encoding="utf-8")),
        load_file(folder / "probe.safetensors"),
    )
    mean, weight, bias = (arrays[name] for name in ("mean", "weight", "bias"))
    if mean.ndim > 1:
        return facts["classes"], ContrastProbe(mean, weight, bias)
    return facts["classes"], LinearProbe(mean, weight, bias, facts["unit"])
