"""Letters, words, yes and no."""

import pytest

from outgrow.core.errors import ConfigError
from outgrow.tasks.parsing import read_letter, read_words, read_yes_no

SAYS_B = [
    "B", "b", " B ", "(B)", "(b)", "[B]", "B.", "B)", "B:", "**B**", "**(B)**", "*B*", "\n\nB\nbecause", "B. Paris",
    "B) Paris", "(B) Paris", "B - Paris", "B, because it is", "B is correct", "Answer: B", "**Answer:** B",
    "Answer: (B)", "The answer is B", "The answer is (B).", "the correct answer is b.", "The answer is **B**.",
    "Option B", "option b",
    "I choose B.", "The answer is option B.", "It is a city.\nSo the answer is (B).",
    "Option A is wrong. The answer is B.",    "The answer is:\n\n(B)", "Answer = B", "B (Paris)",
]  # fmt: skip

SAYS_NO_LETTER = [
    "", "\n \n", "A dog ran", "a dog", "Because", "I think", "The answer is a dog", "A or B", "A, B",
    "A and B", "A/B", "Answer: A or B", "E", "(E)", "Answer: E", "A's", "B-side", "Paris",
    "The answer is A. No, the answer is B.",
    "both", "1", "option A or option B",
]  # fmt: skip


@pytest.mark.parametrize("text", SAYS_B)
def test_a_letter_that_stands_as_an_answer(text):
    assert read_letter(text, 4) == 1


@pytest.mark.parametrize("text", SAYS_NO_LETTER)
def test_no_letter_or_more_than_one(text):
    assert read_letter(text, 4) is None


def test_letters_reach_as_far_as_the_options():
    assert read_letter("E", 5) == 4
    assert read_letter("z", 26) == 25
    assert read_letter("A", 1) == 0
    assert read_letter("B", 1) is None
    for n in (0, 27):
        with pytest.raises(ConfigError, match=f"{n} options cannot be lettered"):
            read_letter("A", n)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("acceptable", 0),
        ("Acceptable.", 0),
        ("**unacceptable**", 1),
        ("This is unacceptable, I think", 1),
        ("\n  UNACCEPTABLE\nacceptable", 1),
        ("acceptable or unacceptable", None),
        ("accept", None),
        ("", None),
        ("I do not know\nacceptable", None),
    ],
)
def test_the_option_said(text, index):
    assert read_words(text, ["acceptable", "unacceptable"]) == index


def test_an_option_alone_wins_over_options_inside_it():
    assert read_words("play music", ["music", "play music"]) == 1
    assert read_words("please play music", ["music", "play music"]) is None


def test_punctuation_counts_only_where_it_tells_options_apart():
    assert read_words("He walks away", ["He walks away.", "He sits down."]) == 0
    assert read_words("so he sits down.", ["He walks away.", "He sits down."]) == 1
    assert read_words("stop!", ["stop", "stop!"]) == 1
    assert read_words("stop?", ["stop", "stop!"]) is None
    assert read_words("!", ["!", "?"]) == 0


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("yes", True),
        ("Yes.", True),
        ("**Yes**, because", True),
        ("\nYES!\nno", True),
        ("Answer: yes", True),
        ("No", False),
        ("no, it is not", False),
        ("The answer is no.", False),
        ("**Answer:** No", False),
        ("yes and no", None),
        ("yes/no", None),
        ("Yes or no?", None),
        ("not", None),
        ("nobody", None),
        ("no-one", None),
        ("It is so\nyes", None),
        ("", None),
    ],
)
def test_yes_and_no(text, verdict):
    assert read_yes_no(text) is verdict
