"""Other libraries' output, switched off for a while."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers and peft without progress bars, load reports and notes about their own future."""
    from transformers.utils import logging as module

    logging: Any = module
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # between versions of these libraries, not for our users
            yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
