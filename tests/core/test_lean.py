"""The command line starts without pandas, and what asks for pandas by name still gets it."""

import subprocess
import sys

import pytest

pytest.importorskip("pandas")

SCRIPT = """
import sys
from outgrow.core.lean import start_without_pandas
{start}
import pyarrow as pa
table = pa.table({{"a": pa.array([1, None])}})
print("pandas" in sys.modules)
print(table.to_pandas()["a"].isna().tolist(), "pandas" in sys.modules)
import pandas as pd
print(pa.Table.from_pandas(pd.DataFrame({{"x": [3]}}))["x"].to_pylist(), pa.array(pd.Series([1.0, None])).null_count)
"""


@pytest.mark.parametrize(("start", "before"), [("", "True"), ("start_without_pandas()", "False")])
def test_pandas_is_imported_when_it_is_asked_for(start, before):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT.format(start=start)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [before, "[False, True] True", "[3] 1"]


def test_pandas_that_is_there_stays():
    script = "import pandas, sys\nfrom outgrow.core.lean import start_without_pandas\nstart_without_pandas()\n"
    script += "assert sys.modules['pandas'] is pandas"
    subprocess.run([sys.executable, "-c", script], check=True)
