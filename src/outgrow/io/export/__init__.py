"""Curated rows in the file formats of the trainers people use."""

from outgrow.io.export.formats import FORMATS, Format, find_format, to_format
from outgrow.io.export.write import check_out, write_rows

__all__ = ["FORMATS", "Format", "check_out", "find_format", "to_format", "write_rows"]
