"""Tables at the edges: JSON Lines, CSV and Parquet, by suffix."""

from outgrow.io.answers import as_answers, as_one_source, read_answers
from outgrow.io.left_out import leave_out
from outgrow.io.pairs import read_pairs
from outgrow.io.questions import read_gold
from outgrow.io.reading import read_table, table_format
from outgrow.io.tidy import Tidied, tidy
from outgrow.io.writing import write_table

__all__ = [
    "Tidied",
    "as_answers",
    "as_one_source",
    "leave_out",
    "read_answers",
    "read_gold",
    "read_pairs",
    "read_table",
    "table_format",
    "tidy",
    "write_table",
]
