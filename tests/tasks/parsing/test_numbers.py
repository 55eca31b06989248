"""Numbers: every formatting of a value is one string, different values are different strings."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from outgrow.tasks.parsing import final_number, read_number, write_number

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"

VARIANTS = {
    "29": ["29", "29.", "29.0", "29.00", "+29", "$29", "$29.00", "29 $", "€29", "29 €", "USD 29", "US$29", "£ 29.00",
           "Rs. 29", "29 USD", "29%", "29 percent", "29 \\%", "\\$29", "$29$", "\\(29\\)", "**29**", "`29`", " 29\n",
           "29 apples", "29 apples.", "29 km/h", "29km", "29 m²", "29 m^2", "29 dollars per hour", "$29/hour",
           "$29 a day", "29 °C", "29°", "2.9e1", "2.9 × 10^1", "0.29 × 10^2", "29 \\text{ cm}", "２９", "٢٩", "58/2",
           "29 dozen"],
    "-29": ["-29", "−29", "–29", "- 29", "-29.0", "-$29", "$-29", "−$29.00", "-29 degrees", "-58/2"],
    "1234567": ["1234567", "1,234,567", "1,234,567.00", "$1,234,567", "1\u2009234\u2009567", "1\u202f234\u202f567",
                "1\u00a0234\u00a0567", "12,34,567", "1{,}234{,}567", "1\\,234\\,567", "1.234567e6", "1.234567 million"],
    "0.5": ["0.5", ".5", "0.50", "1/2", "2 / 4", "½", "\\frac{1}{2}", "\\dfrac12", "5e-1", "5 × 10⁻¹", "1/2 cup"],
    "2.5": ["2.5", "2 1/2", "2½", "2 ½", "5/2", "2\\frac{1}{2}", "2.50 litres", "$2.50"],
    "1/3": ["1/3", "2/6", "⅓", "\\frac{1}{3}", "1/3 of the cake"],
    "-0.75": ["-3/4", "−¾", "-\\frac{3}{4}", "\\frac{-3}{4}", "-.75"],
    "0": ["0", "-0", "0.00", "0%", "$0.00", "0/5"],
    "2000000": ["2 million", "$2 million", "2,000,000", "2e6", "2 million dollars"],
}  # fmt: skip

REFUSED = ["", " ", "twelve", "(29)", "1,23", "1,2345", "1.234.567", "5x", "5 x", "2xy", "5k", "$5m", "5 M", "5!",
           "5th", "10-15", "5 or 6", "5 and a half", "5 squared", "5 lakh", "3 + 4", "x = 5", "5 = 5", "3/4/2021",
           "10:30",
           "1 3/2", "1/0", "--5", "-$-5", "0.333...", "1.2.3", "a5", "5 apples 6", "5 pi", "5π", "1 2", "1 234",
           "1.5/2", "#5", "5 is the number of apples", "1e99999", "9" * 1500]  # fmt: skip


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in VARIANTS.items() for text in texts])
def test_variants_of_a_number_have_one_form(form, text):
    assert read_number(text) == form


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_number_or_has_two_readings_is_refused(text):
    assert read_number(text) is None


def test_no_two_numbers_become_one_through_rounding():
    assert read_number("0.333333") == "0.333333" != read_number("1/3")
    assert read_number("0.1") == "0.1"
    assert read_number("9007199254740993") == "9007199254740993"  # 2**53 + 1 is no float
    assert read_number("1.0000000000000000000001") == "1.0000000000000000000001"


def test_letters_behind_a_number_are_a_unit_only_where_units_are_expected():
    assert read_number("5 m") == "5"
    assert read_number("5 m", units=False) is None
    assert read_number("5%", units=False) == "5"


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (Fraction(29), "29"),
        (Fraction(-59, 2), "-29.5"),
        (Fraction(1, 8), "0.125"),
        (Fraction(7, 500), "0.014"),
        (Fraction(2, 6), "1/3"),
        (Fraction(-7, 6), "-7/6"),
    ],
)
def test_canonical_forms(value, form):
    assert write_number(value) == form
    assert read_number(form) == form


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("She sells 9 for $2.\n#### 18", "18"),
        ("#### $1,234.50 per day", "1234.5"),
        ("#### -3", "-3"),
        ("#### 1\n#### 2", "2"),  # the last marker
        ("#### 7\nThis took 3 steps.", "7"),
        ("The answer is 3. #### 4", "4"),  # marker before phrase
        ("\\boxed{5} and so #### 6", "6"),  # marker before box
        ("the answer is 3, that is \\boxed{$5}", "5"),  # box before phrase
        ("\\boxed{x = \\frac{3}{4}} of 8", "0.75"),
        ("The answer is 18. There were 3 left.", "18"),  # phrase before last number
        ("**Answer:** 18 eggs, of 20", "18"),
        ("Final answer:\n\n 1,200", "1200"),
        ("The answer is 3 * 6 = 18 dollars", "18"),
        ("Is this answer is right? 5 + 3 = <<5+3=9>>8", "8"),  # no number behind the phrase
        ("16 - 3 = 13", "13"),
        ("from 10-15", None),
        ("16 -3", None),
        ("it falls to -3", "-3"),
        ("it costs $1.50.", "1.5"),
        ("about 2 million people", "2000000"),
        ("he eats 1 1/2 pies", "1.5"),
        ("on 3/4/2021", None),
        ("####", None),  # cut off behind the marker
        ("It is 3.\n#### unknown", None),
        ("3 of them, \\boxed{x}", None),
        ("it is 5k", None),
        ("no idea", None),
        ("", None),
    ],
)
def test_the_number_a_solution_ends_in(text, form):
    assert final_number(text) == form


@pytest.mark.parametrize(
    "piece",
    ["10**6", "10^6", "10^{6}", "2^10", "1 000 000", "12,5", "√16", "\\sqrt{16}", "2x+3", "2x + 3", "7x + 11",
     "5 or 6", "5:30", "05:40", "1 hour, 45 minutes", "5 feet 3 inches", "3 to 5", "5k", "4 * 5", "4 × 5", "12 - 5",
     "x - 5", "5 + y", "5 squared", "5 and a half", "3 plus 4", "1.2.3", "10-15", "(2)(3)", "5 - x", "covid-19",
     "2π + 3", "5 x 3", "5 ± 1", "5±1", "1_000", "17 remainder 3", "17 R 3", "5 mod 3", "1011 base 2", "log 5",
     "sin 30", "between 5 and 6", "5 and 6"],
)  # fmt: skip
@pytest.mark.parametrize("frame", ["#### {}", "\\boxed{{{}}}", "The answer is {}.", "So we get {}"])
def test_a_piece_of_something_else_is_no_number(piece, frame):
    assert final_number(frame.format(piece)) is None


@pytest.mark.parametrize("frame", ["#### {}", "\\boxed{{{}}}", "The answer is {}."])
@pytest.mark.parametrize("several", ["5, 6", "x = 5, y = 6", "x=5 and y=6", "5, -6 and 7"])
def test_several_numbers_are_no_number(several, frame):
    assert final_number(frame.format(several)) is None
    assert final_number("The answer is x = y = 5.") == "5"


@pytest.mark.parametrize("text", ["#### 5!", "\\boxed{5!}", "The answer is 5!.", "5!", "n = 5! / 3!"])
def test_a_factorial_is_no_number_and_an_exclamation_is_none(text):
    assert final_number(text) is None
    assert final_number("So she has 5!") == "5"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("#### negative 5", "-5"),
        ("The answer is minus 5.", "-5"),
        ("The area is 48 ft²", "48"),
        ("#### 48 ft²", "48"),
        ("It covers 12 m^2 in all.", "12"),
        ("So she has 42!", "42"),
        ("**18** eggs", "18"),
        ("The answer is **$18**.", "18"),
        ("That makes $29/hour", "29"),
        ("The answer is 72 - that is all.", "72"),
        ("She sold 48 in April and 24 in May, 72 in all", "72"),
        ("7x + 11 = 25, so x = 2", "2"),
        ("6 * 12 = 72", "72"),
        ("- 5 apples", "5"),
        ("the temperature is -5 degrees", "-5"),
        ("5 hours", "5"),
        ("It takes 90 minutes in total", "90"),
    ],
)
def test_a_number_in_a_sentence_is_read(text, form):
    assert final_number(text) == form


def test_another_marker():
    assert final_number("1 + 2 = 3. So 4 in all 9", marker="So") == "4"
    assert final_number("#### 3 So 5", marker="So") == "5"


@pytest.mark.parametrize(("split", "rows"), [("train", 3736), ("test", 1319)])
def test_all_gold_solutions_of_gsm8k_are_read(split, rows):
    path = SHARED / f"gsm8k_{split}.jsonl"
    if not path.exists():
        pytest.skip("the GSM8K files are not in ../shared/data")
    solutions = [json.loads(line)["answer"] for line in path.read_text(encoding="utf-8").splitlines()]
    # every gold answer of GSM8K is an integer, some with commas
    gold = [str(int(solution.split("####")[1].replace(",", ""))) for solution in solutions]
    assert [final_number(solution) for solution in solutions] == gold
    assert len(gold) == rows
    unmarked = [final_number(solution.split("####")[0]) for solution in solutions[:500]]
    assert sum(a == b for a, b in zip(unmarked, gold, strict=False)) > 450  # the working mostly ends in the answer
