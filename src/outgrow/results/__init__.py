"""From the store's artefacts to numbers and tables: the one place where students' answers meet gold."""

from outgrow.results.collect import collect
from outgrow.results.plain import clean
from outgrow.results.tables import write_tables

__all__ = ["clean", "collect", "write_tables"]
