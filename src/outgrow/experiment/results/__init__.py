"""From the store's artefacts to numbers and tables: the one place where students' answers meet gold."""

from outgrow.experiment.results.collect import collect
from outgrow.experiment.results.plain import clean
from outgrow.experiment.results.tables import write_tables

__all__ = ["clean", "collect", "write_tables"]
