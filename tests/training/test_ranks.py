"""One training over several processes, started as people start them."""

import importlib.util
import math
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from outgrow.core.errors import DataError, TrainingError
from outgrow.models import ModelRef, load
from outgrow.models.ranks import Ranks
from outgrow.training.schedule import rows_of_step

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("rank_cases", HERE / "rank_cases.py")
assert _spec is not None
assert _spec.loader is not None
rank_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rank_cases)


def compare(launch, folders, work, kind):
    """The cases by two ranks against one process; returns what two ranks found.

    Tolerances: 1e-5 on losses and norms, relative, and 1e-4 on weights, a tenth of what Adam moves in one step: sums
    are taken in another order. In bfloat16 losses and norms are equal within 5 half units of the last place (2^-8), and
    weights as `assert_moved_alike` says. After a stop: equal to the bit.
    """
    code, output = launch(HERE / "rank_cases.py", kind, *folders.values(), work / "two")
    assert code == 0, output
    two = torch.load(work / "two" / "results.pt")
    names = dict.fromkeys(case.partition(",")[0] for _, case in two)
    one = rank_cases.everything(folders, work / "one", {"one": tuple(names)})
    start = load(ModelRef(model=str(folders["lm"])), seed=3).head.state_dict()
    for (way, case), together in two.items():
        name = case.partition(",")[0]
        alone = one["one", name]
        rtol = 5 * 2**-8 if name == "bf16" else 1e-5
        assert together["chosen"] == alone["chosen"] == 3
        assert any(entry["grad_norm"] > rank_cases.BASE.max_grad_norm for entry in alone["history"])  # it is clipped
        for key in ("step", "loss", "lr", "grad_norm", "tokens"):
            own, other = ([entry[key] for entry in found["history"]] for found in (together, alone))
            np.testing.assert_allclose(own, other, rtol=rtol, err_msg=f"{way} {case} {key}")
        assert together["weights"].keys() == alone["weights"].keys()
        for key, tensor in alone["weights"].items():
            found = together["weights"][key]
            if name != "bf16":
                torch.testing.assert_close(found, tensor, rtol=0, atol=1e-4, msg=f"{way} {case} {key}")
            assert torch.equal(found, two[way, name]["weights"][key]), (way, case, key)
        if name == "bf16":
            assert_moved_alike(start, alone["weights"], together["weights"])
        if name.startswith("pairs"):  # student and reference are one at the start, on two ranks too, and after a stop
            assert together["history"][0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
            assert together["history"][-1]["margin"] > 0.1
        if name == "options":
            assert_same_statistics(alone["states"][0], together["states"], two[way, name]["states"])
        assert together["history"] == two[way, name]["history"]
    return two


def assert_moved_alike(start, one, two):
    """All weights together end within an eighth of the way they went.

    Adam's first step takes every weight as far as the rate says, whichever way its gradient points. Gradients whose
    sums are rounded to 8 bits in another order differ by about 2^-8 of their usual size, so weights whose gradient is
    smaller than that, a share of about 2^-8, go the other way: twice as far apart as they went, for each of them, and
    2 sqrt(2^-8) = 1/8 for all. No bound on a single weight says more than that it went its way or the other.
    """
    apart, went = (
        sum(float((a[key] - b[key]).square().sum()) for key in start) ** 0.5 for a, b in ((one, two), (one, start))
    )
    assert 0 < apart < went / 8


def assert_same_statistics(alone, together, stopped):
    """Every rank has seen all rows of each step in the order of the step, and has the statistics of one process."""
    order = [
        float(row)
        for step in range(rank_cases.STEPS)
        for row in rows_of_step(step, len(rank_cases.CHOICES), rank_cases.BASE.batch_size, seed=7)
    ]
    for state in (alone, *together, *stopped):
        assert state["numbers"] == order
        torch.testing.assert_close(state["places"], alone["places"], rtol=0, atol=1e-6)
    assert len(together) == len(stopped) == 2
    for state in (*together, *stopped):
        assert torch.equal(state["places"], together[0]["places"])


def test_two_ranks_give_the_training_of_one(launch, tiny_lm, tiny_bert, tmp_path):
    two = compare(launch, {"lm": tiny_lm, "bert": tiny_bert}, tmp_path, "fast")
    loaded = load(ModelRef(model=str(tmp_path / "two" / "model")))  # trained in parts, saved whole
    for name, tensor in loaded.head.state_dict().items():
        assert torch.equal(tensor, two["fsdp", "uneven"]["weights"][name]), name


@pytest.mark.slow
def test_two_ranks_give_the_training_of_one_in_every_way(launch, tiny_lm, tiny_bert, tmp_path):
    compare(launch, {"lm": tiny_lm, "bert": tiny_bert}, tmp_path, "all")


SCRIPT = """
import sys
from outgrow.core.errors import DataError
from outgrow.models.ranks import led, ranks

def rank_of(held):
    return ranks().gather(ranks().rank)

def all_fail(held):
    raise DataError("nobody can do this")

def one_fails(held):
    if ranks().rank == 1:
        raise DataError("only one cannot do this")
    return ranks().gather(0)

@led
def work(what):
    from __main__ import all_fail, one_fails, rank_of
    assert ranks().rank == 0
    try:
        ranks().call(all_fail)
    except DataError as error:
        print("rank 0 met:", error, flush=True)
    assert ranks().call(rank_of) == [0, 1]  # the others are still there
    if what == "outside":
        raise DataError("rank 0 alone, outside of a call")
    ranks().call(one_fails)

from outgrow.core.errors import OutgrowError
from outgrow.models import ranks as module
module.GRACE = 3.0
try:
    work(sys.argv[1])
except OutgrowError as error:
    if not error.echo:
        print("told:", type(error).__name__, error, flush=True)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("inside", "told: TrainingError rank 1 of 2 failed: only one cannot do this"),
        pytest.param("outside", "told: DataError rank 0 alone, outside of a call", marks=pytest.mark.slow),
    ],
    ids=["inside", "outside"],
)
def test_failure_of_one_rank_ends_all_with_its_message(launch, tmp_path, what, said):
    script = tmp_path / "work.py"
    script.write_text(textwrap.dedent(SCRIPT))
    code, output = launch(script, what)
    assert code == 1, output  # the launcher's own; each rank has left with the error's
    assert "rank 0 met: nobody can do this" in output
    assert output.count("told:") == 1
    assert said in output
    assert "exitcode  : 2" in output


def test_one_process_leads_nobody():
    alone = Ranks()
    assert alone.lead(lambda: alone.call(lambda held, x: (held, x), 5)) == (None, 5)
    assert alone.tell(1) == 1
    assert alone.gather(2) == [2]
    with pytest.raises(DataError, match="no"):
        alone.agree(lambda: (_ for _ in ()).throw(DataError("no")))


def test_error_of_some_ranks_names_the_rank_and_keeps_the_exit_code():
    error = Ranks(rank=0, size=2)._error_of([None, DataError("no such file")], None)
    assert isinstance(error, TrainingError)
    assert str(error) == "rank 1 of 2 failed: no such file"
    assert error.exit_code == 2
    same = Ranks(rank=1, size=2)._error_of([DataError("bad row"), DataError("bad row")], None)
    assert isinstance(same, DataError)
    assert same.echo
