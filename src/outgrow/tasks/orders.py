"""Which template and which order of the options a variant takes: the same rule for every task."""

from __future__ import annotations

from typing import NamedTuple


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
