"""The examples in docstrings say what comes out."""

import ast
import doctest
from importlib import import_module
from pathlib import Path

import pytest

import outgrow

SOURCE = Path(outgrow.__file__).parent
PARTS = ast.FunctionDef | ast.ClassDef | ast.Module


def examples():
    """(module, name, docstring) of everything whose docstring has examples."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        if ">>>" in text:
            module = ".".join(["outgrow", *path.relative_to(SOURCE).with_suffix("").parts])
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, PARTS) and ">>>" in (doc := ast.get_docstring(node) or ""):
                    yield module, getattr(node, "name", ""), doc


EXAMPLES = {f"{module}:{name}": (module, doc) for module, name, doc in examples()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_in_a_docstring_gives_what_it_says(name):
    module, doc = EXAMPLES[name]
    test = doctest.DocTestParser().get_doctest(doc, dict(vars(import_module(module))), name, None, None)
    report = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert not report, "".join(report)


def test_the_main_functions_have_examples():
    names = {name.partition(":")[2] for name in EXAMPLES}
    assert names >= {
        "agreement", "calibrate", "curate", "Joint", "entropy", "gap_recovered", "most_certain",
        "row_reliability",
    }  # fmt: skip
