"""A lab for tests: a fixed table of answers, no model; it records what a method asks and trains on."""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import SealedError
from outgrow.core.lab import ONCE, Source, Student
from outgrow.core.tables import ANSWERS, EXAMPLES, GOLD, TOKENS, build, with_column
from outgrow.methods.rows import normalise_weights

SUPERVISOR, STUDENT = Source("sup", "key-sup"), Source("student", "key-student")


def answers_table(said, *, logprobs=None, probabilities=None, texts=None, finish="scored"):
    """Answers of the source `sup`, one variant each.

    Args:
        said: question -> values of variants 0, 1, ...
        logprobs: question -> log-probabilities, likewise; -1 by default.
        probabilities: (question, variant) -> map of values.
        texts: (question, variant) -> text; by default the value.
        finish: finish_reason of all of them.
    """
    keys = [(q, v) for q, values in said.items() for v in range(len(values))]
    return build(
        ANSWERS,
        {
            "example_id": [q for q, _ in keys],
            "source": ["sup"] * len(keys),
            "variant": [v for _, v in keys],
            "sample": [0] * len(keys),
            "prompt": [f"{q} in wording {v}" for q, v in keys],
            "text": [(texts or {}).get((q, v), said[q][v]) for q, v in keys],
            "value": [said[q][v] for q, v in keys],
            "logprob": [(logprobs or {}).get(q, [-1.0] * len(said[q]))[v] for q, v in keys],
            "probabilities": [(probabilities or {}).get((q, v)) for q, v in keys],
            "finish_reason": [finish] * len(keys),
        },
    )


def gold_table(truth):
    """A gold table of question -> value."""
    return build(GOLD, {"example_id": list(truth), "objective": ["truth"] * len(truth), "value": list(truth.values())})


def examples_table(ids):
    """Questions that are their ids, each a group of its own."""
    ids = list(ids)
    return build(EXAMPLES, {"example_id": ids, "group_id": ids, "question": ids})


@dataclass
class Trained:
    """One call of `lab.train`."""

    start: Source
    rows: pa.Table
    objective: Any
    weights: str
    stage: str = ""
    select: Any = None
    settings: Any = None
    probe: Any = None
    draw: int = 0
    head: str | None = None

    def column(self, name):
        return self.rows[name].to_pylist()

    @property
    def targets(self):
        """row_id -> target."""
        return dict(zip(self.column("row_id"), self.column("target"), strict=True))

    @property
    def settled(self):
        """row_id -> weight as the training uses it."""
        rows = normalise_weights(self.rows, self.weights).rows
        return dict(zip(rows["row_id"].to_pylist(), rows["weight"].to_pylist(), strict=True))


@dataclass
class FakeLab:
    """What `core.lab.Lab` asks for, over fixed answers."""

    answers: pa.Table
    truth: dict[str, str] = field(default_factory=dict)
    known_truth: dict[str, str] = field(default_factory=dict)
    supervisor_truth: dict[str, str] = field(default_factory=dict)  # of the questions the supervisor was tuned on
    equal: dict[str, str] = field(default_factory=dict)  # what gold calls a value that is written otherwise
    held_out: tuple[str, ...] = ()  # questions of validation
    said: dict[str, dict[str, str]] = field(default_factory=dict)  # source -> question -> what it says when asked once
    states: dict[str, list[float]] = field(default_factory=dict)  # question -> hidden state
    models: tuple[Source, ...] = ()
    further: tuple[Source, ...] = ()  # supervisors, behind the first
    texts: dict[str, str] = field(default_factory=dict)  # question -> its words; by default its id
    seed: int = 0
    head: str = "lm"
    length_normalise: str | None = None
    variants: int = 5
    estimator: str | None = None
    asked: list[tuple[str, int | None]] = field(default_factory=list)
    trained: list[Trained] = field(default_factory=list)
    pretrained: list[tuple[Source, list[str], dict[str, Any]]] = field(default_factory=list)
    contrasts: list[tuple[Source, Source, Source | None, float]] = field(default_factory=list)
    judged: list[tuple[Source, Source, int, float]] = field(default_factory=list)
    joints: list[tuple[tuple[Source, ...], Any]] = field(default_factory=list)
    objectives: list[str | None] = field(default_factory=list)  # of gold that was bought
    notes: list[str] = field(default_factory=list)

    @property
    def pool(self):
        return self._questions(lambda i: i not in self.known_truth and i not in self.held_out)

    @property
    def known(self):
        return self._questions(lambda i: i in self.known_truth)

    @property
    def validation(self):
        return self._questions(lambda i: i in self.held_out)

    def _questions(self, wanted):
        table = examples_table(i for i in self.answers["example_id"].unique().to_pylist() if wanted(i))
        words = [self.texts.get(i, i) for i in table["example_id"].to_pylist()]
        return with_column(table, "question", pa.array(words, pa.string()))

    @property
    def supervisor_train(self):
        return examples_table(self.supervisor_truth)

    @property
    def supervisors(self):
        return (SUPERVISOR, *self.further)

    @property
    def student(self):
        return STUDENT

    training = MappingProxyType({"learning_rate": 0.01, "weight_decay": 0.0})

    def ask(self, source, questions, how=None, *, variants=None):
        ids = questions["example_id"].to_pylist()
        if source != SUPERVISOR:
            assert how == ONCE or source in self.further
            self.asked.append((source.name, 1 if how is not None else variants))
            said = answers_table({q: [self.said[source.name][q]] for q in ids})
            return with_column(said, "source", pa.array([source.name] * len(ids)))
        assert how is None
        self.asked.append((source.name, variants))
        answers = self.answers.filter(pc.is_in(self.answers["example_id"], questions["example_id"].combine_chunks()))
        return answers if variants is None else answers.filter(pc.less(answers["variant"], variants))

    def tokens(self, source, questions, how):
        """One token and the end, of log-probabilities -1 and 0, for each answer."""
        answers = self.ask(source, questions, how)
        ends = [[len(text)] * 2 for text in answers["text"].to_pylist()]
        columns = {"starts": [[0, end] for end, _ in ends], "ends": ends, "logprobs": [[-1.0, 0.0]] * len(ends)}
        return build(TOKENS, {**{name: answers[name] for name in TOKENS.names[:4]}, **columns})

    def train(self, start, rows, objective=None, *, weights="mean_one", **settings):
        self.trained.append(Trained(start, rows, objective, weights, **settings))
        name = settings.get("stage") or "arm"
        return Student(name, f"key-{name}", rows.num_rows)

    def pretrain(self, start, questions, *, stage="", settings=None):
        self.pretrained.append((start, questions["example_id"].to_pylist(), dict(settings or {})))
        return Student(stage, f"key-{stage}")

    def derive(self, start, rows, probe, *, stage=""):
        self.trained.append(Trained(start, rows, None, "mean_one", stage, probe=probe))
        return Student(stage or "probe", "key-probe", rows.num_rows)

    def contrast(self, plus, minus, *, base=None, alpha=1.0, stage=""):
        self.contrasts.append((plus, minus, base, alpha))
        return Student(stage or "contrast", "key-contrast")

    def best_of(self, writer, judge, *, samples=8, temperature=1.0, stage=""):
        self.judged.append((writer, judge, samples, temperature))
        return Student("best", "key-best")

    def joint(self, sources, *, weights=None, beams=1, stage=""):
        self.joints.append((sources, weights))
        return Student(stage or "joint", "key-joint")

    def prompt(self, start, rows, *, stage=""):
        self.trained.append(Trained(start, rows, None, "mean_one", stage))
        return Student("prompted", "key-prompted", rows.num_rows)

    def activations(self, source, questions, layers, *, pool="last"):
        assert source == STUDENT
        return np.array([[self.states[q]] * len(layers) for q in questions["example_id"].to_pylist()])

    def _without_models(self, *arguments, **settings):
        raise NotImplementedError

    score = do = _without_models

    def note(self, text):
        self.notes.append(text)

    def known_gold(self, objective=None):
        self.objectives.append(objective)
        return gold_table(self.known_truth)

    def in_form_of(self, gold, said):
        values = [self.equal.get(value, value) for value in said["value"].to_pylist()]
        place = said.column_names.index("value")
        return said.set_column(place, said.schema.field(place), pa.array(values, pa.string()))

    def gold(self, questions):
        truth = self.truth | self.supervisor_truth
        if not truth:
            raise SealedError("sealed")
        return gold_table({i: truth[i] for i in questions["example_id"].to_pylist()})
