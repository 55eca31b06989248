"""Which template and which order of the options a variant takes, and how it is filled: one rule for every task."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import NamedTuple

from outgrow.core.errors import ConfigError


def option_order(n: int, number: int) -> tuple[int, ...]:
    """Order `number` of n options: the n cyclic shifts, then those of the reversed order (n > 2).

    So n orders in a row put every option into every place once. Two options have two orders.
    """
    shift = number % n
    if n > 2 and number % (2 * n) >= n:
        return tuple((shift - 1 - i) % n for i in range(n))
    return tuple((i + shift) % n for i in range(n))


def number_of_orders(n: int) -> int:
    """How many orders `option_order` has for n options."""
    return 2 if n == 2 else 2 * n


class Variant(NamedTuple):
    """A variant's template and order, by number; `kind` is the wording's."""

    template: int
    order: int
    kind: str


def variant_parts(variant: int, templates: int, orders: int) -> Variant:
    """Templates change fastest, and each step through them also moves the order on by one."""
    template = variant % templates
    order = (variant // templates + template) % orders
    kinds = {(False, True): "permutation", (True, False): "instruction", (True, True): "mixed"}
    return Variant(template, order, kinds.get((template > 0, order > 0), "identity") if variant else "identity")


def check_variant(variant: int, task: str, n_variants: int, advice: str = "") -> None:
    """Refuse a wording that a task does not have.

    Raises:
        ConfigError: ends in `advice`.
    """
    if not 0 <= variant < n_variants:
        raise ConfigError(f"variant {variant} asked of {task}, which has {n_variants} wordings{advice}")


def option_lines(words: Sequence[str], lettered: bool) -> str:
    """Options one a line, behind their letters or behind dashes."""
    marks = [f"{letter}." for letter in ascii_uppercase] if lettered else ["-"] * len(words)
    return "\n".join(f"{mark} {word}" for mark, word in zip(marks, words, strict=False))


def fill(template: str, parts: Mapping[str, str]) -> str:
    """The template with its parts in their places; a place for anything else stays as it is."""
    return re.sub(r"{(\w+)}", lambda place: parts.get(place.group(1), place.group()), template)
