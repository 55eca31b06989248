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
    "Option A is wrong. The answer is B.", "\\boxed{B}",
    "So it is \\(\\boxed{\\text{B}}\\)", "The correct option is B.",
    '"B"', "It's B.", "It is B", '{"answer":"B"}',
    '{"answer": "b", "why": "A is not"}', "“B”", "`B`", "$B$", "I'd go with B.",
    "A is not correct.\nThe answer is (B).", "(A) is wrong. The answer is (B).", "A dog ran\nAnswer: B",
    "The answer is:\n\n(B)", "Answer = B", "B (Paris)",
]  # fmt: skip

SAYS_NO_LETTER = [
    "", "\n \n", "A dog ran", "a dog", "Because", "I think", "The answer is a dog", "A or B", "A, B",
    "A and B", "A/B", "Answer: A or B", "E", "(E)", "Answer: E", "A's", "B-side", "Paris",
    "The answer is A. No, the answer is B.",
    "both", "1", "option A or option B", "A is not correct", "(A) is wrong.", "A isn't right", "The answer is not A",
]  # fmt: skip


@pytest.mark.parametrize("text", SAYS_B)
def test_a_letter_that_stands_as_an_answer(text):
    assert read_letter(text, 4) == 1


@pytest.mark.parametrize(
    "text",
    ["I think B", "I guess it's B.", "<B>", "Ｂ", "Answer → B", "Answer -> B", "The answer must be B",
     "the answer should be B.", "Not A but B", "The answer is A. No wait, it is B.", "The answer is A. Sorry, B."],
)  # fmt: skip
def test_a_letter_said_in_other_ways_or_corrected(text):
    assert read_letter(text, 4) == 1


@pytest.mark.parametrize("text", SAYS_NO_LETTER)
def test_no_letter_or_more_than_one(text):
    assert read_letter(text, 4) is None


@pytest.mark.parametrize("text", ["Paris", "paris.", "It is Paris!", "The capital is Paris, not Rome."])
def test_an_option_said_in_its_own_words_where_letters_are_asked_for(text):
    assert read_letter(text, 3, ["Rome", "Paris", "Oslo"]) == 1
    assert read_letter(text, 3) is None
    assert read_letter("Paris or Rome", 3, ["Rome", "Paris", "Oslo"]) is None
    assert read_letter("(C) Paris", 3, ["Rome", "Paris", "Oslo"]) == 2  # the letter decides


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("I don't think it is billing", None),
        ("without billing", None),
        ("unlike billing", None),
        ("non-billing", None),
        ("anything but billing", None),
        ("excluding billing", None),
        ("billing is wrong", None),
        ("billing is not right", None),
        ("billing? No, technical", 1),
        ("not billing but technical", 1),
        ("rather technical than billing", 1),
        ("Not billing", None),
        ("It is not technical.", None),
        ("This isn't about billing", None),
        ("It is not technical, it is billing", 0),
        ("billing, not technical", 0),
        ("not a billing question but technical", 1),
        ("neither billing nor technical", None),
    ],
)
def test_what_a_text_denies_is_not_chosen(text, index):
    assert read_words(text, ["billing", "technical"]) == index


def test_an_option_that_is_a_denial_is_read():
    options = ["relevant", "not relevant"]
    assert [read_words(text, options) for text in ("Not relevant.", "relevant", "It is not relevant")] == [1, 0, 1]


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
