"""Shapes of arrays in annotations: jaxtyping's, where it was imported to check them.

Annotations are strings otherwise, and jaxtyping takes longer to import than a small file of answers to label.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Int
else:

    class _Unchecked:
        def __class_getitem__(cls, shape: Any) -> Any:
            return Any

    Bool = Float = Int = _Unchecked

__all__ = ["Bool", "Float", "Int"]
