"""What a model thinks before it answers, taken off before anything reads the answer."""

from __future__ import annotations

import re

MARKS = (
    ("<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|return|>", "<|call|>"),
    ("[THINK]", "[/THINK]"),
    ("<think>", "</think>"),
)
"""Marks that some tokenizers hold as special tokens; a tokenizer with the first of a row has that way of marking."""

_OPENED = re.compile(r"<(think|thinking|thought|reasoning|reflection)>|\[(THINK)\]", re.IGNORECASE)
_CLOSED = re.compile(r"</(?:think|thinking|thought|reasoning|reflection)>|\[/THINK\]", re.IGNORECASE)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>")
_BARE_CHANNEL = re.compile(r"analysis(?=[A-Z\"'(])(?:.*(assistantfinal))?", re.DOTALL)
_END_OF_MESSAGE = re.compile(r"<\|(?:end|return|start|call)\|>")


def after_reasoning(text: str) -> str | None:
    """The answer of a reply without the reasoning before it; the text itself where there is none.

    Known are `<think>...</think>` and its kin, `[THINK]...[/THINK]`, and harmony's channels, of which `final` is the
    answer, also where a tokenizer has dropped their marks (`analysisLet me see.assistantfinalB`). A prompt may have
    opened the reasoning, so a close without an opening ends one too. Of several the last ends the reasoning.

    Returns:
        None where the reply ends within its reasoning, so that there is no answer.
    """
    if (bare := _BARE_CHANNEL.match(text)) is not None:
        return text[bare.end() :].strip() if bare[1] else None
    if "<|channel|>" in text:
        messages = [(found[1], found.end()) for found in _CHANNEL.finditer(text)]
        finals = [end for name, end in messages if name == "final"]
        return None if not finals else _END_OF_MESSAGE.split(text[finals[-1] :], maxsplit=1)[0].strip()
    closed = 0
    for found in _CLOSED.finditer(text):
        closed = found.end()
    opened = _OPENED.search(text, closed)
    if opened is not None and not text[closed : opened.start()].strip():
        return None
    return text[closed:].strip() if closed else text
