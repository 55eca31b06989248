"""The program that `math_judge` runs: pairs of LaTeX strings in, `true` or `false` out, a line each.

It imports nothing of outgrow. A comparison that does not end in time ends the process, by the system's limit on
processor time: a verdict does not depend on what else the machine does, and the limit holds even while one long
multiplication keeps the interpreter busy. A watchdog on the clock stands behind it for systems without such limits.
"""

from __future__ import annotations

import faulthandler
import json
import math
import os
import sys
import time
from functools import lru_cache
from importlib import import_module
from typing import Any

MEMORY = 4 * 2**30  # bytes


def limit_memory() -> None:
    """Where the system can: no more than `MEMORY` for this process, and no file of its memory when it is ended."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, OSError, ValueError):
        pass


def limit_time(seconds: int) -> None:
    """Ends this process after `seconds` more of processor time, or after 20 times as long."""
    faulthandler.dump_traceback_later(20 * seconds, exit=True)
    try:
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + seconds, most))
    except (ImportError, OSError, ValueError):
        pass


@lru_cache(maxsize=1_000)
def parse(text: str) -> list[Any]:
    """What math-verify makes of a formula; empty when it makes nothing of it."""
    return list(import_module("math_verify").parse(f"${text}$", parsing_timeout=None))


def same(a: str, b: str) -> bool:
    """Whether each passes with the other as gold."""
    verify = import_module("math_verify").verify

    def passes(gold: list[Any], target: list[Any]) -> bool:
        return bool(verify(gold, target, float_rounding=12, allow_set_relation_comp=True, timeout_seconds=None))

    first, second = parse(a), parse(b)
    return passes(first, second) and passes(second, first)


def main() -> None:
    """Answers until its input ends."""
    seconds = int(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    limit_memory()
    try:
        same("x+1", "1+x")  # loads what is loaded on first use
    except Exception as error:
        print(f"{type(error).__name__}: {error}".replace("\n", " "), file=answers, flush=True)
        return
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        limit_time(seconds)
        try:
            verdict = same(*json.loads(line))
        except (Exception, RecursionError, MemoryError):
            verdict = False
        faulthandler.cancel_dump_traceback_later()
        print("true" if verdict else "false", file=answers, flush=True)


if __name__ == "__main__":
    main()
