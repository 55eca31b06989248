"""The parts of curation that are not methods of their own: given labels, questions, and what becomes of weights."""

from outgrow.curation.questions import prompts_of, read_given, read_questions
from outgrow.curation.relabel import Relabelled, relabel
from outgrow.curation.weights import Weights, class_mix, settle_weights

__all__ = [
    "Relabelled",
    "Weights",
    "class_mix",
    "prompts_of",
    "read_given",
    "read_questions",
    "relabel",
    "settle_weights",
]
