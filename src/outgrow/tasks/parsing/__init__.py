"""Canonical answers out of free text, and when two answers are the same answer.

Each reader takes any text and gives one canonical form, or None: it never raises on what a model wrote. A task's
`extract` is one of them; its `canonicalise` is `canonicalise_answers` where equal answers can be written differently.
"""

from outgrow.tasks.parsing.equivalence import Same, canonicalise_answers, cluster, representatives
from outgrow.tasks.parsing.latex import final_math, normalise_math, same_math
from outgrow.tasks.parsing.markers import before_cut
from outgrow.tasks.parsing.numbers import final_number, read_number, write_number
from outgrow.tasks.parsing.options import first_line, read_letter, read_words, read_yes_no
from outgrow.tasks.parsing.reasoning import after_reasoning
from outgrow.tasks.parsing.slots import read_slots, slots_in_order
from outgrow.tasks.parsing.text import normalise_answer

__all__ = [
    "Same",
    "after_reasoning",
    "before_cut",
    "canonicalise_answers",
    "cluster",
    "final_math",
    "final_number",
    "first_line",
    "normalise_answer",
    "normalise_math",
    "read_letter",
    "read_number",
    "read_slots",
    "read_words",
    "read_yes_no",
    "representatives",
    "same_math",
    "slots_in_order",
    "write_number",
]
