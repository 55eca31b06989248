"""A start without pandas, which pyarrow imports, wherever it is installed, to make its first array of a list."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType


def start_without_pandas() -> None:
    """Let pyarrow look for pandas once and find none new enough; what asks for pandas by name still gets it.

    It costs most of a second of every start of the command line. pyarrow tries again where it needs pandas
    (`to_pandas`), so nothing is lost but the recognition of pandas objects in `pyarrow.array`. Does nothing where
    pandas is there already.
    """
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    stand_in = ModuleType("pandas")
    stand_in.__version__ = "0"  # type: ignore[attr-defined]  # pyarrow takes 2.2.2 or later
    sys.modules["pandas"] = stand_in
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pa.array([0])
    finally:
        del sys.modules["pandas"]
