"""What an arm was trained on, in words, as other trainers read it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from outgrow.core.tables import PAIRS, PROBABILITIES, ROWS, build, of_pairs
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import Lookup
from outgrow.recipe.recipe import parse_recipe
from outgrow.reporting.run import read_folder
from outgrow.store import Store
from outgrow.training.render import render_rows


def rows_in_words(run: Path | str, key: str, store: Store) -> pa.Table:
    """The rows (`core.tables.ROWS`) or pairs (`PAIRS`) of a training, with prompts and answers as the model saw them.

    Args:
        run: the folder of a finished run; its recipe's files are looked for where they were when it was run.
        key: of the training's step.
        store: that the run used, opened unsealed.

    Raises:
        ConfigError: the recipe cannot be read any more.
        DataError: the rows are about questions that the task does not have any more.
        StoreError: the store does not hold the result, its rows, or paraphrases that it was trained with.
    """
    artefact, provenance = store.open(key), read_folder(Path(run)).provenance
    assert provenance is not None  # the key is from there
    runner = StepRunner(parse_recipe(provenance.recipe_given, path=provenance.recipe_path), Lookup(store))
    runner.reword()
    examples = pa.concat_tables([runner.examples(split) for split in runner.task.splits])
    rows = artefact.table("rows.parquet")
    worded = render_rows(runner.task, rows, examples)
    schema, prompts = (PAIRS if of_pairs(rows) else ROWS), [row.prompt for row in worded]
    columns = {name: rows[name] for name in schema.names} | {"prompt": prompts}
    options = [row.options or () for row in worded]
    if of_pairs(rows):
        return build(
            PAIRS, columns | {"chosen": [each[0] for each in options], "rejected": [each[1] for each in options]}
        )
    shares = [
        None if row.probabilities is None else list(zip(each, row.probabilities, strict=True))
        for row, each in zip(worded, options, strict=True)
    ]
    targets = [row.target for row in worded]
    return build(ROWS, columns | {"target": targets, "probabilities": pa.array(shares, PROBABILITIES)})
