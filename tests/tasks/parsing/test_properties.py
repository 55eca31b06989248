"""Properties of every reader, over generated texts.

100 cases each; all of the 10,000 that a release needs with

    OUTGROW_PROPERTY_CASES=10000 pytest tests/tasks/parsing/test_properties.py
"""

import json
import os
import time
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.parsing import (
    cluster,
    final_math,
    final_number,
    math_judge,
    normalise_answer,
    normalise_math,
    read_letter,
    read_number,
    read_slots,
    read_words,
    read_yes_no,
    representatives,
    same_math,
    write_number,
)
from outgrow.tasks.splits import normalise_text
from outgrow.tasks.table import TableTask
from outgrow.tasks.table_config import TableConfig

GIVEN = os.environ.get("OUTGROW_PROPERTY_CASES")
cases = settings(
    max_examples=int(GIVEN or 100),
    deadline=None,
    derandomize=GIVEN is None,  # CI tries the same cases each time
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

slow_cases = settings(cases, max_examples=int(GIVEN or 20))  # those that ask math-verify

FRAGMENTS = [
    "\\boxed{", "\\fbox{", "\\boxed", "}", "{", "\\frac", "\\frac{1}{2}", "\\text{", "\\left(", "\\right)", "$", "$$",
    "\\(", "\\)", "\\[", "\\]", "####", "the answer is ", "Answer:", "answer = ", "option ", "(B)", "**", "A", "b",
    "yes", "no", " or ", "and", "1", "12", ",", ".", "-", "−", "+", "/", "%", "½", "²", "⁻", "e5", "× 10^", "million",
    "\u2009", "\u00a0", "٣", "９", " ", "\n", "[", "]", '"type"', '"filler"', ":", "null", "NaN", "```json\n", "\\",
    '{"type": "a", "filler": "b"}', "^", "_", "x", "the", "an", "\u0000", "\ud800", "\U0001f600", "e\u0301", "ﬁ", "İ",
    "ß",
]  # fmt: skip
fragments = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)
long_texts = st.tuples(st.sampled_from(FRAGMENTS), st.integers(1, 1_000), fragments).map(
    lambda parts: parts[0] * parts[1] + parts[2]
)
any_text = st.text(st.characters(), max_size=200)  # all of Unicode, lone surrogates too
hostile = st.one_of(any_text, fragments, st.tuples(any_text, fragments, any_text).map("".join), long_texts)

needs_math_verify = pytest.mark.skipif(not math_judge._installed(), reason="math-verify is not installed")


# No text makes a reader fail, and a canonical form is its own canonical form ------------------------------------


@cases
@given(hostile)
def test_read_number_never_fails(text):
    form = read_number(text)
    assert form is None or read_number(form) == form == write_number(Fraction(form))


@cases
@given(hostile)
def test_final_number_never_fails(text):
    form = final_number(text)
    assert form is None or final_number(form) == form == read_number(form)


@cases
@given(hostile)
def test_final_math_never_fails(text):
    answer = final_math(text)
    assert answer is None or answer == normalise_math(answer) != ""
    if answer is not None and not set(answer) & set("{}\\"):
        assert final_math(f"\\boxed{{{answer}}}") == answer


@cases
@given(hostile, st.integers(1, 26))
def test_read_letter_never_fails(text, n):
    index = read_letter(text, n)
    assert index is None or 0 <= index < n


@cases
@given(hostile, st.lists(st.one_of(any_text, st.sampled_from(FRAGMENTS)), max_size=5))
def test_read_words_never_fails(text, options):
    index = read_words(text, options)
    assert index is None or 0 <= index < len(options)


@cases
@given(hostile)
def test_read_yes_no_never_fails(text):
    assert read_yes_no(text) in (True, False, None)


@cases
@given(hostile)
def test_read_slots_never_fails(text):
    form = read_slots(text)
    assert form is None or read_slots(form) == form


@cases
@given(hostile)
def test_normalise_answer_never_fails_and_loses_no_answer(text):
    form = normalise_answer(text)
    assert (form is None) == (not normalise_text(text))
    assert form is None or normalise_answer(form) == form


READERS = [
    read_number, final_number, final_math, lambda text: read_letter(text, 4), lambda text: read_words(text, ["yes"]),
    read_yes_no, read_slots, normalise_answer, normalise_math,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_a_long_text_of_one_kind_takes_no_more_than_its_length_asks_for(reader):
    # time that grows with the square of the length would be 100 times as much; 30 leaves room for a busy machine
    def seconds(length, fragment):
        text = (fragment * length)[:length]
        start = time.process_time()
        reader(text)
        return time.process_time() - start

    for fragment in FRAGMENTS:
        assert seconds(20_000, fragment) < 30 * max(seconds(2_000, fragment), 0.01)


MATH = [
    "x", "y", "1", "23", "0", "+", "-", "*", "/", "=", "<", ",", "(", ")", "[", "]", "{", "}", "^", "_", "\\frac",
    "\\sqrt", "\\pi", "\\text{a}", "\\cup", "\\infty", "\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\", " ", ".",
    "\\circ", "|", "\\sin", "\\", "$", "%", "!", "\\int", "\\sum", "\\in", "\\{", "\\}", "\u2212", "\n", "\u0000",
    "\ud800",
]  # fmt: skip
formulas = st.lists(st.sampled_from(MATH), max_size=8).map("".join)


@needs_math_verify
@slow_cases
@given(st.one_of(formulas, hostile), formulas)
def test_same_math_never_fails_and_is_symmetric(a, b):
    assert same_math(a, b) == same_math(b, a)
    assert same_math(a, f" {a}\n")


# Variants of one answer become one, different answers do not ----------------------------------------------------

numbers = st.one_of(
    st.integers(-(10**12), 10**12).map(Fraction),
    st.tuples(st.integers(-(10**9), 10**9), st.integers(0, 6)).map(lambda pair: Fraction(pair[0], 10 ** pair[1])),
    st.tuples(st.integers(-999, 999), st.integers(1, 99)).map(lambda pair: Fraction(*pair)),
)


@st.composite
def spelling(draw, value):
    """One of the usual ways to write `value`."""
    sign = draw(st.sampled_from(["-", "−", "–", "- "])) if value < 0 else draw(st.sampled_from(["", "+"]))
    size = abs(value)
    plain = write_number(size)
    if "/" in plain:
        whole, rest = divmod(size, 1)
        forms = [plain, plain.replace("/", " / "), f"\\frac{{{size.numerator}}}{{{size.denominator}}}"]
        if whole:
            forms += [f"{whole} {rest}", f"{whole}\\frac{{{rest.numerator}}}{{{rest.denominator}}}"]
        body = draw(st.sampled_from(forms))
    else:
        whole, _, places = plain.partition(".")
        comma = draw(st.sampled_from([",", "\u2009", "\u202f", "\u00a0", "{,}", ""]))
        whole = f"{int(whole):,}".replace(",", comma)
        zeros = "0" * draw(st.integers(0, 3))
        body = f"{whole}.{places}{zeros}" if places + zeros else whole
        if draw(st.booleans()):
            body = f"{size.numerator}/{size.denominator}" if size.denominator > 1 else f"{plain}e0"
    before = draw(st.sampled_from(["", "$", "€", "USD ", "£ "]))
    after = draw(st.sampled_from(["", ".", "%", " percent", " apples", " dollars per hour.", "/hour", " €"]))
    around = draw(st.sampled_from(["{}", " {}\n", "**{}**", "`{}`"]))
    return around.format(f"{sign}{before}{body}{after}")


@cases
@given(st.data())
def test_every_spelling_of_a_number_has_one_form_and_the_form_is_the_number(data):
    value = data.draw(numbers)
    text = data.draw(spelling(value))
    assert read_number(text) == write_number(value)
    assert final_number(f"We get 3 + 4 = 7.\n#### {text.strip()}") == write_number(value)


@cases
@given(st.data())
def test_different_numbers_have_different_forms(data):
    a = data.draw(numbers)
    b = data.draw(st.one_of(numbers, st.sampled_from([-a, a + 1, a * 10, a + Fraction(1, 10**9), a / 100])))
    assume(a != b)
    forms = [
        read_number(data.draw(spelling(value))) if value.denominator < 10**7 else write_number(value)
        for value in (a, b)
    ]
    assert None not in forms
    assert forms[0] != forms[1]


LETTER_FORMS = [
    "{}", "({})", "[{}]", "{}.", "{})", "**{}**", "{}: it is", "{}. The cat", "Answer: {}", "The answer is ({}).",
    "option {}", "\n {}\nbecause", "So it goes.\nThe answer is **{}**.",
]  # fmt: skip


@cases
@given(st.integers(1, 26), st.integers(0, 25), st.sampled_from(LETTER_FORMS), st.booleans())
def test_every_form_of_a_letter_names_its_option(n, index, form, upper):
    assume(index < n)
    letter = chr(ord("a") + index)
    assert read_letter(form.format(letter.upper() if upper else letter), n) == index


option_words = st.text(st.characters(categories=("Ll", "Lu", "Nd", "Zs", "Po")), min_size=1, max_size=12)


@cases
@given(st.lists(option_words, min_size=1, max_size=5, unique_by=normalise_text), st.data())
def test_an_option_that_is_said_is_read(options, data):
    assume(all(normalise_text(option) for option in options))
    index = data.draw(st.integers(0, len(options) - 1))
    shouted = options[index].upper().swapcase()
    assume(normalise_text(shouted) == normalise_text(options[index]))  # a dotless i comes back as another letter
    assert read_words(f"\n  {shouted} \nbecause", [*options]) in (index, None)
    assert read_words(options[index], options) == index


inner = st.text(st.characters(categories=("Ll", "Lu", "Nd", "Zs")), min_size=1, max_size=8)


@cases
@given(st.lists(inner, min_size=2, max_size=4, unique_by=normalise_text), hostile, st.data())
def test_read_words_reads_what_a_table_task_reads(options, text, data):
    assume(all(normalise_text(option) for option in options))
    text = data.draw(
        st.sampled_from([text, f" {options[0]}. ", f"It is {options[-1]}!", f"{options[0]} or {options[1]}"])
    )
    task = object.__new__(TableTask)
    task.config = TableConfig(path="unread.jsonl", text="text", label="label")
    values = tuple(str(i) for i in range(len(options)))
    wording = Wording("?", options=tuple(options), values=values)
    index = read_words(text, options)
    assert task.extract(text, Example("e", "g", "?"), wording) == (None if index is None else values[index])


names = st.text(st.sampled_from("abcdefgh_"), min_size=1, max_size=6).filter(
    lambda name: name.strip("_") and "__" not in name
)
fillers = st.text(st.sampled_from("abc dé1"), min_size=1, max_size=8).filter(str.strip)
slots = st.lists(st.tuples(names.map(lambda name: name.strip("_")), fillers), max_size=5)


def as_pairs(found):
    return {(kind, normalise_text(filler)) for kind, filler in found}


@cases
@given(slots, slots, st.randoms(use_true_random=False))
def test_slots_are_told_apart_by_their_pairs_alone(one, other, random):
    shuffled = one + one[:1]
    random.shuffle(shuffled)
    listed = json.dumps([{"type": kind, "filler": filler} for kind, filler in one])
    mixed = json.dumps([{"filler": f" {filler.upper()} ", "type": kind} for kind, filler in shuffled], indent=1)
    grouped = json.dumps({kind: [filler for own, filler in shuffled if own == kind] for kind, _ in shuffled})
    form = read_slots(listed)
    assert form == read_slots(f"Here:\n```json\n{mixed}\n```") == read_slots(f'{{"slots": {grouped}}}')
    assert {(slot["type"], slot["filler"]) for slot in json.loads(form)} == as_pairs(one)
    assert (read_slots(json.dumps([{"type": k, "filler": f} for k, f in other])) == form) == (
        as_pairs(one) == as_pairs(other)
    )


# no word of these letters is an article
plain_words = st.text(st.sampled_from("bcdefgnost"), min_size=2, max_size=6)
sentences = st.lists(plain_words, min_size=1, max_size=4)


@cases
@given(sentences, sentences, st.sampled_from(["{}", "The {}.", "a {}!", '"{}"', " {}\n", "**{}**", "an {}?"]))
def test_articles_case_and_punctuation_do_not_tell_answers_apart_but_words_do(one, other, form):
    assert normalise_answer(form.format("  ".join(one).upper())) == " ".join(one)
    assert (normalise_answer(form.format("-".join(one))) == normalise_answer(" ".join(other))) == (one == other)


coefficients = st.integers(-9, 9)


def polynomial(a, b, c):
    """The same polynomial a x^2 + b x + c, written in several ways."""
    forms = [
        f"{a}x^2 + {b}x + {c}",
        f"{c} + x({a}x + {b})",
        f"\\frac{{{2 * a}x^2 + {2 * b}x + {2 * c}}}{{2}}",
        f"${c}+{b}\\cdot x+{a}x^{{2}}$",
    ]
    return [form.replace("+ -", "- ").replace("+-", "-") for form in forms]


@needs_math_verify
@slow_cases
@given(
    st.tuples(coefficients, coefficients, coefficients), st.tuples(coefficients, coefficients, coefficients), st.data()
)
def test_polynomials_are_the_same_when_their_coefficients_are(one, other, data):
    one_way = data.draw(st.sampled_from(polynomial(*one)))
    other_way = data.draw(st.sampled_from(polynomial(*other)))
    again = data.draw(st.sampled_from(polynomial(*one)))
    assert same_math(one_way, again)
    assert same_math(one_way, other_way) == (one == other)


@cases
@given(
    formulas,
    st.sampled_from(["\\boxed{{{}}}", "so \\fbox{{{}}}.", "The answer is $\\frac{{1}}{{x}}$, thus \\boxed{{ {} }}"]),
)
def test_a_box_gives_back_what_was_put_in(formula, form):
    assume("{" not in formula and "}" not in formula and not formula.endswith("\\") and normalise_math(formula))
    assert final_math(form.format(formula)) == normalise_math(formula)


# Clusters -------------------------------------------------------------------------------------------------------


@cases
@given(st.lists(st.text("abAB ", max_size=3), max_size=8), st.integers(0, 3))
def test_clusters_are_the_finest_partition_that_joins_what_is_the_same(values, distance):
    def same(a, b):
        return abs(len(a.strip()) - len(b.strip())) * 2 <= distance and a[:1].lower() == b[:1].lower()

    groups = cluster(values, same)
    assert all(groups[i] == groups[j] for i, j in combinations(range(len(values)), 2) if same(values[i], values[j]))
    for number in set(groups):  # each group hangs together: flooding from one member reaches all
        members = {value for value, own in zip(values, groups, strict=True) if own == number}
        reached, edge = set(), [min(members)]
        while edge:
            value = edge.pop()
            reached.add(value)
            edge += [other for other in members - reached if same(value, other)]
        assert reached == members
    chosen = representatives(values, same)
    assert {value: chosen[value] for value in values} == {
        value: min((v for v, g in zip(values, groups, strict=True) if g == own), key=lambda v: (len(v), v))
        for value, own in zip(values, groups, strict=True)
    }
