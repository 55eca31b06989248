"""Several annotators taken for one crowd."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from outgrow.core.encoding import encode
from outgrow.core.tables import ANSWERS
from outgrow.io.answers import numbers_within


def as_one_source(answers: pa.Table, name: str) -> pa.Table:
    """The answers of all sources as samples of one, numbered per question in row order.

    The members of the crowd are then interchangeable: vote shares say how many of them agree, and nobody counts for
    more than another. What a single member is worth has to be estimated from the sources apart.

    Args:
        answers: answers table (`outgrow.core.tables.ANSWERS`) of any number of sources.
        name: of the crowd.

    Returns:
        Answers in the same order, variant 0 throughout.

    Examples:
        >>> import pyarrow as pa
        >>> from outgrow.io import as_answers
        >>> answers = as_answers(pa.table({"example_id": ["q", "q"], "source": ["ann", "bob"], "value": ["x", "y"]}))
        >>> as_one_source(answers, "crowd").select(["source", "sample"]).to_pylist()
        [{'source': 'crowd', 'sample': 0}, {'source': 'crowd', 'sample': 1}]
    """
    sample = numbers_within(encode(answers.column("example_id")).codes)
    columns = {field.name: answers.column(field.name) for field in ANSWERS}
    columns["source"] = pa.array([name] * answers.num_rows, pa.string())
    columns["variant"] = pa.array(np.zeros(answers.num_rows, np.int64))
    columns["sample"] = pa.array(sample)
    return pa.table([columns[field.name] for field in ANSWERS], schema=ANSWERS.with_metadata(answers.schema.metadata))
