"""The options of task `kind: table`: which files and columns, and how questions are dealt out to splits."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from outgrow.core.config import Config
from outgrow.core.names import did_you_mean
from outgrow.tasks.splits import Size

Split = Literal["supervisor_train", "pool", "validation", "test", "known"]
NEEDED: tuple[Split, ...] = ("pool", "validation", "test")
DEFAULT_SPLITS: dict[str, Size] = {"supervisor_train": 0.2, "validation": 0.1, "test": 0.2, "pool": "rest"}
PLACEHOLDERS = ("text", "options")


def _from_size(value: Any) -> Any:
    """`200`, `0.25` and `rest` are short for {count: 200}, {share: 0.25} and {rest: true}."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {"count": value}
    if isinstance(value, float):
        return {"share": value}
    return {"rest": True} if value == "rest" else value


class SplitConfig(Config):
    """One split: so many questions (`count`), a `share` of its file's questions, or the `rest` (the default).

    Attributes:
        file: the key of its file in `files`; by default the only file, or the one named like the split.
        count: number of questions.
        share: share of the file's questions, duplicates counted once.
        rest: what the other splits of the file leave.
    """

    file: str | None = None
    count: Annotated[int, Field(ge=1)] | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    rest: bool = False

    @model_validator(mode="after")
    def _one_size(self) -> SplitConfig:
        if (self.count is not None) + (self.share is not None) + self.rest > 1:
            raise ValueError("give one of count, share and rest")
        return self

    @property
    def size(self) -> Size:
        """Number, share or "rest"."""
        if self.count is not None:
            return self.count
        return "rest" if self.share is None else self.share


Short = SplitConfig | int | float | Literal["rest"]
Splits = dict[Split, Annotated[SplitConfig, BeforeValidator(_from_size, json_schema_input_type=Short)]]


class TableConfig(Config):
    """Questions in the user's own files, with gold labels or without.

    Attributes:
        name: of the task; by default the name of the first file.
        path: one file from which all splits are taken (JSON Lines, CSV or Parquet, by suffix).
        files: several files, by a key of one's own; instead of `path`.
        text: the column of the question; several columns are joined, one line each.
        label: the column of the gold answer; null for questions without gold, which can be labelled (they all are
            `pool`) but not be trained or tested on.
        answer: how questions are answered: by one of their `options` (`choices` or classes), by a `number`, or in
            free `text`, which counts as the same answer whatever its case, punctuation and articles.
        id: a column of ids by which files of answers name the questions; without it ids are made of the text.
        label_as: what `label` holds where there are `choices`: the answer's own words, its index from 0, its letter.
        group: a column of what must not be split apart (a document, a speaker), or null.
        choices: the column of a question's own options (a list; JSON in CSV), or one column per option. Without it
            every question has the same classes.
        classes: the classes in the order of the classifier's outputs, by default those found, sorted; as a mapping,
            each class's value to the words a language model says.
        prompts: wordings with `{text}`, and `{options}` where the answers are to be listed; the first is the
            identity. By default the text alone, or text, options and "Answer:" for questions with `choices` and for
            classes without gold.
        letters: list options as "A. words" and answer by letter.
        max_new_tokens: most tokens of a generated answer.
        stratum: a column by which the report breaks results down; methods never see it.
        splits: name to size; by default those of `files` that are named like splits, else 20 % `supervisor_train`,
            10 % `validation`, 20 % `test`, the rest `pool`.
        seed: of the order in which questions are dealt out.
    """

    kind: Literal["table"] = "table"
    name: Annotated[str, Field(min_length=1)] | None = None
    path: str | None = None
    files: dict[str, str] | None = None
    text: str | tuple[str, ...]
    label: str | None = None
    answer: Literal["options", "number", "text"] = "options"
    id: str | None = None
    label_as: Literal["value", "index", "letter"] = "value"
    group: str | None = None
    choices: str | tuple[str, ...] | None = None
    classes: tuple[str, ...] | dict[str, str] | None = None
    prompts: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    letters: bool = False
    max_new_tokens: Annotated[int, Field(ge=1)] = 32
    stratum: str | None = None
    splits: Splits | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _consistent(self) -> TableConfig:
        faults = [*self._file_faults(), *self._prompt_faults()]
        if self.choices is not None and self.classes is not None:
            faults.append(
                "choices and classes exclude each other: either each question has its own options, or all share"
            )
        if self.choices is None and self.label_as != "value":
            faults.append(f"label_as: {self.label_as} needs choices")
        if self.answer != "options" and (self.choices is not None or self.classes is not None or self.letters):
            faults.append(f"answer: {self.answer} has no options; leave choices, classes and letters out")
        if self.label is None and self.answer == "options" and self.choices is None and self.classes is None:
            faults.append(
                "without a label column the possible answers are not known; give classes or choices, or set answer: "
                "number or answer: text"
            )
        if self.classes is not None and len(set(self.classes)) < max(2, len(self.classes)):
            faults.append("classes must be two or more different ones")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _file_faults(self) -> list[str]:
        if (self.path is None) == (self.files is None):
            return ["give either path (one file) or files (a mapping of keys to files)"]
        dealt = self.dealt()
        needed = NEEDED if self.label is not None else ("pool",)
        faults = [f"split '{split}' is missing from splits" for split in needed if split not in dealt]
        if self.label is None:
            faults += [
                f"split '{split}' needs gold, but there is no label column" for split in dealt if split != "pool"
            ]
        files = self.paths()
        for split, (file, _) in dealt.items():
            if file is None:
                faults.append(f"split '{split}' does not say which file it is taken from; files: {', '.join(files)}")
            elif file not in files:
                faults.append(f"split '{split}': no file '{file}'{did_you_mean(file, files)} Files: {', '.join(files)}")
        unused = [file for file in files if file not in {own for own, _ in dealt.values()}]
        return faults + [f"file '{file}' is used by no split" for file in unused]

    def _prompt_faults(self) -> list[str]:
        faults = []
        for prompt in self.prompts or ():
            names = re.findall(r"{(\w*)}", prompt)
            faults += [
                f"prompt {prompt!r}: unknown placeholder {{{name}}}{did_you_mean(name, PLACEHOLDERS)} "
                "Known: {text}, {options}"
                for name in names
                if name not in PLACEHOLDERS
            ]
            if "text" not in names:
                faults.append(f"prompt {prompt!r} lacks {{text}}")
        return faults

    def paths(self) -> dict[str, str]:
        """Key to file; the only file of `path` has the key "data"."""
        return self.files if self.files is not None else {"data": self.path or ""}

    def dealt(self) -> dict[str, tuple[str | None, Size]]:
        """Split to the key of its file and its size, defaults filled in."""
        files = self.paths()
        only = next(iter(files)) if len(files) == 1 else None
        if self.splits is not None:
            return {
                split: (own.file or only or (split if split in files else None), own.size)
                for split, own in self.splits.items()
            }
        if self.label is None and only is not None:
            return {"pool": (only, "rest")}
        if self.path is not None:
            return {split: (only, size) for split, size in DEFAULT_SPLITS.items()}
        return {file: (file, "rest") for file in files}

    def text_columns(self) -> tuple[str, ...]:
        """The columns that make up a question."""
        return (self.text,) if isinstance(self.text, str) else self.text

    def choice_columns(self) -> tuple[str, ...]:
        """The columns that hold options: none, one of lists, or one per option."""
        if self.choices is None:
            return ()
        return (self.choices,) if isinstance(self.choices, str) else self.choices

    def templates(self) -> tuple[str, ...]:
        """The prompts, defaults filled in."""
        if self.prompts is not None:
            return self.prompts
        listed = self.choices is not None or (self.label is None and self.classes is not None)
        return ("{text}",) if not listed else ("{text}\n{options}\nAnswer:",)
