"""One training over several processes, started as people start them."""

import importlib.util
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from outgrow.errors import DataError, TrainingError
from outgrow.training import ModelRef, load
from outgrow.training.ranks import Ranks

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("rank_cases", HERE / "rank_cases.py")
assert _spec is not None
assert _spec.loader is not None
rank_cases = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rank_cases)


@pytest.fixture(scope="module")
def both(launch, tiny_lm, tiny_bert, tmp_path_factory):
    """The cases by one process, and by two ranks in DDP and FSDP."""
    folder = tmp_path_factory.mktemp("ranks")
    code, output = launch(HERE / "rank_cases.py", folder / "two.pt", tiny_lm, tiny_bert, folder / "two")
    assert code == 0, output
    one = rank_cases.everything({"lm": tiny_lm, "bert": tiny_bert}, folder / "one")
    return folder, one, torch.load(folder / "two.pt")


@pytest.mark.parametrize("way", ["ddp", "fsdp"])
@pytest.mark.parametrize("case", rank_cases.CASES)
def test_two_ranks_give_the_training_of_one(both, way, case):
    """Tolerance 1e-5 on losses and norms, relative; 2e-5 on weights: sums are taken in another order."""
    _, one, two = both
    alone, together = one["one", case], two[way, case]
    assert together["chosen"] == alone["chosen"] == 3
    assert any(entry["grad_norm"] > rank_cases.BASE.max_grad_norm for entry in alone["history"])  # clipping is at work
    for key in ("step", "loss", "lr", "grad_norm", "tokens"):
        np.testing.assert_allclose(
            [e[key] for e in together["history"]], [e[key] for e in alone["history"]], rtol=1e-5, err_msg=key
        )
    assert together["weights"].keys() == alone["weights"].keys()
    for name, tensor in alone["weights"].items():
        torch.testing.assert_close(together["weights"][name], tensor, rtol=0, atol=2e-5, msg=name)


@pytest.mark.parametrize("way", ["ddp", "fsdp"])
@pytest.mark.parametrize("case", ["classifier", "adapter"])
def test_ranks_that_were_stopped_end_with_the_same_bits(both, way, case):
    _, _, two = both
    whole, again = two[way, case], two[way, f"{case}, stopped"]
    assert again["history"] == whole["history"]
    for name, tensor in whole["weights"].items():
        assert torch.equal(again["weights"][name], tensor), name


def test_model_trained_in_parts_is_saved_whole(both):
    folder, _, two = both
    loaded = load(ModelRef(model=str(folder / "two" / "model")))
    for name, tensor in loaded.head.state_dict().items():
        assert torch.equal(tensor, two["ddp", "uneven"]["weights"][name]), name


SCRIPT = """
import sys
from outgrow.errors import DataError
from outgrow.training.ranks import led, ranks

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

from outgrow.errors import OutgrowError
from outgrow.training import ranks as module
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
        ("outside", "told: DataError rank 0 alone, outside of a call"),
        ("inside", "told: TrainingError rank 1 of 2 failed: only one cannot do this"),
    ],
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
