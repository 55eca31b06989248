"""Answers in LaTeX, found and compared."""

import os
import threading
import time

import pytest

from outgrow.core.errors import PrerequisiteError
from outgrow.tasks.parsing import cluster, final_math, final_number, math_judge, read_letter, same_math

needs_math_verify = pytest.mark.skipif(not math_judge._installed(), reason="math-verify is not installed")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"So $x = 3$ and \boxed{\frac{x+1}{2}}.", r"\frac{x+1}{2}"),
        (r"\boxed{1} but rather \boxed{\{a, b\}}", r"\{a, b\}"),
        (r"\boxed{a^{2^{3}}}", "a^{2^{3}}"),
        (r"\fbox{x+1}", "x+1"),
        (r"\boxed 5$ is it", "5"),
        (r"\boxed{a} and \boxed{b", "a"),  # cut off
        (r"\boxed{\boxed{7}}", "7"),
        (r"$a$. The answer is $x^2$, not $y$.", "x^2"),
        (r"The answer is \(\dfrac{a}{b}\).", r"\frac{a}{b}"),
        ("The answer is 2x + 1. Check it.", "2x + 1"),
        ("We get $a$ and then $$b + c$$", "b + c"),
        (r"Hence \[ \left( 1, 2 \right) \]", "( 1, 2 )"),
        ("x + 1", "x + 1"),
        (r"\boxed{1,234}", "1234"),
        (r"\boxed{12\text{ cm}^2}", "12"),
        (r"\boxed{50\%}", "50"),
        (r"\boxed{90^\circ}", "90"),
        (r"\boxed{5m}", "5m"),
        (r"\boxed{.5}", "0.5"),
        (r"\boxed{{$7$}.}", "7"),
        ("The answer is $x$,", "x"),
        ("I do not know", None),
        (r"\boxed{}", None),
        ("", None),
        (r"\boxed{" + "x" * 1500 + "}", None),
    ],
)
def test_the_answer_a_solution_states(text, answer):
    assert final_math(text) == answer


SAME = [
    ("x+1", "1+x"), (r"\frac{1}{2}", "0.5"), (r"\frac12", r"\dfrac{1}{2}"), (r"\sqrt{8}", r"2\sqrt{2}"),
    ("(x+1)^2", "x^2+2x+1"), ("x=5", "5"), ("1,2", "2,1"), ("(1,2)", "1<x<2"), (r"\left(1, 2\right)", "(1,2)"),
    (r"50\%", "50"),
    (r"\text{Evelyn}", "Evelyn"), (r"10\text{ cm}", "10"), ("$7$", "7"), ("1{,}000", "1000"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix}1\\2\end{bmatrix}"), (r"\frac{\pi}{2}", r"0.5\pi"),
]  # fmt: skip
DIFFERENT = [
    (".5", "5"), ("0.333...", "0.333"), (r"\frac{1}{3}", "0.33…"),
    ("x+1", "x+2"), (r"\frac{1}{3}", "0.333333"), (r"\pi", "3.14159265"), ("2x+z=1", "1"),
    ("(1,2)", "(2,1)"), ("[1,2]", "(1,2)"), ("5", "-5"), ("50", "0.5"), ("x", "y"), ("", "5"), ("", " x"), ("x^2",
    "2x"), ("1.0000001", "1"),
    (r"\text{red}", r"\text{blue}"),
]  # fmt: skip


@needs_math_verify
@pytest.mark.parametrize(("a", "b"), SAME)
def test_the_same_mathematics(a, b):
    assert same_math(a, b)
    assert same_math(b, a)


@needs_math_verify
@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different_mathematics(a, b):
    assert not same_math(a, b)
    assert not same_math(b, a)


@needs_math_verify
def test_solutions_are_clustered_by_what_they_mean():
    assert cluster(["1+x", "2", "x+1", r"\frac{4}{2}", "x + 1"], same_math) == [0, 1, 0, 1, 0]


@needs_math_verify
def test_other_threads_may_compare():
    found = []
    threads = [threading.Thread(target=lambda i=i: found.append(same_math(f"y+{i}", f"{i}+y"))) for i in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 4


@needs_math_verify
def test_an_expression_that_explodes_is_ended_and_the_next_one_judged(monkeypatch):
    monkeypatch.setattr(math_judge, "SECONDS", 2)
    worker = math_judge._Worker()
    try:
        assert worker.ask("9^{9^{9}}", "3") is False
        assert worker._process is None  # ended, not answered
        assert worker.ask("x+1", "1+x") is True
    finally:
        worker.stop()


@needs_math_verify
def test_a_process_that_was_killed_is_started_again():
    worker = math_judge._Worker()
    try:
        assert worker.ask("a+b", "b+a") is True
        worker._process.kill()
        worker._process.wait()
        assert worker.ask("a+c", "c+a") is True
    finally:
        worker.stop()


@needs_math_verify
def test_an_answer_too_long_to_judge_is_the_same_only_as_itself():
    long = "+".join(["x"] * 300)
    assert same_math(long, f" {long}.")
    assert not same_math(long, "300x")


def test_a_missing_math_verify_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(math_judge, "_installed", lambda: False)
    with pytest.raises(PrerequisiteError, match=r'pip install "outgrow\[math\]"'):
        same_math("x", "y")


def test_a_math_verify_that_cannot_be_imported_is_told(monkeypatch, tmp_path):
    (tmp_path / "math_verify.py").write_text("raise ImportError('no antlr')", encoding="utf-8")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    with pytest.raises(PrerequisiteError, match="ImportError: no antlr"):
        math_judge._Worker().ask("x", "y")


def matrix(*rows, kind="pmatrix", gap=" "):
    return rf"\begin{{{kind}}}{gap}" + rf"{gap}\\{gap}".join(rows) + rf"{gap}\end{{{kind}}}"


@needs_math_verify
@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (matrix("2", "3"), matrix("3", "2"), False),
        (matrix("2", "3"), matrix("2 & 3"), False),  # a column is no row
        (matrix("2", "3"), matrix("2", "3", gap=""), True),
        (matrix("2", "3"), matrix("2", "3", kind="bmatrix"), True),
        (matrix("2", "3"), r"\left(\begin{array}{c} 2 \\ 3 \end{array}\right)", True),
        (matrix("1 & 2", "3 & 4"), matrix("1 & 3", "2 & 4"), False),  # its transpose
        (matrix("1 & 2", "3 & 4"), matrix("1&2", "3&4", gap=""), True),
        (matrix("1/2", "x + 1"), matrix("0.5", "1 + x"), True),
        (matrix("1 & 2", "3 & 4"), matrix("1 & 2", "3 & 4", "5 & 6"), False),
        (matrix("1", "2"), "1", False),
        ("2" + matrix("1", "2"), matrix("2", "4"), True),
        ("2" + matrix("1", "2"), matrix("4", "2"), False),
        (r"1-\mathrm{e}", r"1+\mathrm{e}", False),
        (r"1-\mathrm{e}", "1 - e", True),
        (r"\mathrm{i}", "-i", False),
        (r"\pi\mathrm{e}", r"\pi e", True),
        ("12_7", "12_8", False),
        ("1011_2", "1011_{2}", True),
        ("1011_2", "1011", False),
        ("X", "x", False),
        ("A + b", "a + B", False),
        ("3x + 2y", "3X + 2Y", False),
        ("AB", "BA", False),
        (r"\overline{AB}", r"\overline{BA}", False),
        (r"\triangle ABC", r"\triangle CBA", False),
        ("ab", "ba", True),
        ("10^{30}", "10^{30} + 7", False),
        ("2^{100}", "2^{100} + 1", False),
        ("2^{64}", "18446744073709551616", True),
        ("16!/(16-10)!", "16!/(16-10)", False),
        ("16!/(16-10)!", r"\frac{16!}{6!}", True),
    ],
)
def test_what_math_verify_does_not_look_at(a, b, same):
    assert same_math(a, b) is same
    assert same_math(b, a) is same


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"So \boxed{5}. Wait, I forgot one: the answer is 6.", "6"),
        (r"The answer is 4. Check: \boxed{4}", "4"),
        (r"The answer is 3. No. \boxed{4}", "4"),
        (r"So \boxed{5}. The answer is clear.", "5"),
    ],
)
def test_the_later_statement_counts(text, answer):
    assert final_number(text) == answer
    if "clear" not in text:
        assert final_math(text) == answer
    assert read_letter(r"\boxed{B}. No: the answer is C.", 4) == 2
    assert read_letter(r"The answer is C. No: \boxed{B}", 4) == 1


@pytest.mark.parametrize("text", ["16!/(16-10)!", "The answer is 16!/(16-10)!", "The answer is $16!/(16-10)!$. Good!"])
def test_a_factorial_keeps_its_last_sign(text):
    assert final_math(text) == "16!/(16-10)!"


def test_a_megabyte_takes_no_longer_than_its_end():
    for text in ("1," * 500_000, "(" * 1_000_000, "$" * 1_000_000, r"\boxed{" * 100_000, "the answer is " * 70_000):
        began = time.process_time()
        final_number(text), final_math(text), read_letter(text, 4)
        assert time.process_time() - began < 5
