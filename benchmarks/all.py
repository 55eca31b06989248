"""Every benchmark, one process each, then the page. `make bench` runs this.

python benchmarks/all.py [--quick] [--results FOLDER] [--page FILE]
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import harness

SECONDS = {
    "startup": 30, "reliability": 90, "annotators": 60, "asking": 40, "sampling": 60, "training": 50, "preferences": 20,
    "suite": 250, "gpu": 30,
}  # fmt: skip
"""For the rounds of one comparison; all together take less than 45 minutes on two cores."""


def main() -> None:
    parser = harness.parser(__doc__)
    parser.add_argument("--page", type=Path, default=None)
    options = parser.parse_args()
    here = Path(__file__).parent
    began, failed = time.monotonic(), []
    quick = ["--quick"] if options.quick else []
    for name, seconds in SECONDS.items():
        print(f"== {name}, {time.monotonic() - began:.0f} s after the start", flush=True)
        call = [sys.executable, str(here / f"{name}.py"), "--seconds", str(seconds), *quick]
        done = subprocess.run([*call, "--results", str(options.results), "--threads", str(options.threads)])
        failed += [name] * bool(done.returncode)
    page = [] if options.page is None else ["--page", str(options.page)]
    subprocess.run([sys.executable, str(here / "write.py"), "--results", str(options.results), *page], check=True)
    print(f"all: {time.monotonic() - began:.0f} s", flush=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}; the page holds their last results, if there are any")


if __name__ == "__main__":
    main()
