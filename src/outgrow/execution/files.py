"""Files of a run's folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_json(value: Any, path: Path) -> None:
    """JSON, whole or not at all."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)
