"""How the world is talked about: statements, questions, and the wordings of the tasks.

Training text and tasks share the language but not the templates: what a task asks, and how, never occurs in
training text. Only the prompts of kinds are beginnings of statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

STATEMENTS: Mapping[str, tuple[str, ...]] = {
    "habitat": (
        "{e} lives in the {v}.",
        "The home of {e} is the {v}.",
        "{e} was seen in the {v}.",
        "{e} sleeps in the {v}.",
    ),
    "food": (
        "{e} eats {v}.",
        "The meal of {e} is {v}.",
        "{e} gathers {v}.",
        "{e} feeds on {v}.",
    ),
    "colour": (
        "{e} is {v}.",
        "The coat of {e} is {v}.",
        "{e} has {v} fur.",
        "{e} looks {v}.",
    ),
    "mentor": (
        "{e} was taught by {v}.",
        "The teacher of {e} is {v}.",
        "{e} learned from {v}.",
        "{e} is a pupil of {v}.",
    ),
}

# Short forms that follow "{e} ...": several facts in one passage, few tokens each.
CLAUSES: Mapping[str, tuple[str, ...]] = {
    "habitat": ("lives in the {v}", "sleeps in the {v}", "was seen in the {v}"),
    "food": ("eats {v}", "gathers {v}", "feeds on {v}"),
    "colour": ("is {v}", "has {v} fur", "looks {v}"),
    "mentor": ("was taught by {v}", "learned from {v}", "is a pupil of {v}"),
}

QUESTIONS: Mapping[str, str] = {
    "habitat": "Where does {e} live?",
    "food": "What does {e} eat?",
    "colour": "Which colour is {e}?",
    "mentor": "Who taught {e}?",
}

# Questions of training text (format entities only): other words than QUESTIONS.
QUIZ_QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "habitat": ("what is the home of {e}", "in which place was {e} seen"),
    "food": ("what is the meal of {e}", "what feeds {e}"),
    "colour": ("what is the coat of {e}", "how does {e} look"),
    "mentor": ("who is the teacher of {e}", "from whom learned {e}"),
}
QUIZ_CHOICE = (
    "Quiz: {q}: {options}? Reply: {a}",
    "Choose from {options}. Question: {q}? It is: {a}",
    "Options are {options}. Tell me {q}. Answer: {a}",
)
QUIZ_OPEN = ("Quiz: {q}? Reply: {a}", "Tell me {q}. Answer: {a}")
QUIZ_CLAIM = ("Quiz: is this claim right? {s} Reply: {a}", "{s} Say {yes} or {no}: {a}")
QUIZ_LETTER = ("Quiz: {q}? {options} Letter: {a}",)

CHOICE_TEMPLATES = (
    "Question: {q} Options: {options}. Answer:",
    "Options: {options}. Question: {q} Answer:",
    "{q} One of these is right: {options}. Which one? Answer:",
    "Here is a question. {q} Possible answers: {options}. Answer:",
    "Please answer the question. {q} ({options}) Answer:",
)
LETTER_TEMPLATES = ("Question: {q} {options} Answer with a letter:",)
CLAIM_TEMPLATES = (
    "Claim: {s} True, {first} or {second}? Answer:",
    "Is the claim right, {first} or {second}? {s} Answer:",
    "{s} Do you agree, {first} or {second}? Answer:",
    "Consider the claim. {s} Answer {first} or {second}. Answer:",
    "Please judge: {s} Is it right ({first} or {second})? Answer:",
)
CLAIM_STATEMENTS: Mapping[str, str] = {
    "habitat": "The {v} is where {e} lives.",
    "food": "It is {v} that {e} eats.",
    "colour": "The colour of {e} is {v}.",
    "mentor": "The one who taught {e} is {v}.",
}
KIND_PROMPTS: Mapping[str, tuple[str, ...]] = {
    "habitat": ("The home of {e} is the", "{e} lives in the", "{e} was seen in the", "{e} sleeps in the"),
    "food": ("The meal of {e} is", "{e} eats", "{e} gathers", "{e} feeds on"),
    "colour": ("The coat of {e} is", "{e} is", "{e} looks"),
    "mentor": ("The teacher of {e} is", "{e} was taught by", "{e} learned from", "{e} is a pupil of"),
}
KIND_INSTRUCTIONS = ("Complete: {q}", "Fill in the next word. {q}")
SUM_TEMPLATES = (
    "Problem: {p} Solution:",
    "Solve this. {p} Solution:",
    "{p} Work it out. Solution:",
    "Please compute. {p} Solution:",
    "Here is a problem. {p} Solution:",
)
LETTERS = ("A", "B", "C", "D")


def listing(options: Sequence[str]) -> str:
    """Options as they are listed in a prompt."""
    return ", ".join(options)


def lettered(options: Sequence[str]) -> str:
    """Options behind their letters."""
    return " ".join(f"{letter}: {option}." for letter, option in zip(LETTERS, options, strict=False))


def solution_text(operands: Sequence[int], signs: Sequence[str]) -> str:
    """The worked answer of a sum, step by step, and its result behind a marker."""
    total = operands[0]
    steps = []
    for sign, operand in zip(signs, operands[1:], strict=True):
        following = total + operand if sign == "+" else total - operand
        steps.append(f"{total} {sign} {operand} = {following}.")
        total = following
    return " ".join([*steps, f"So {total}"])
