"""Weights in 8 and 4 bits: nearly the same answers, and adapters on top."""

import importlib.util

import numpy as np
import pytest

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.tables import iter_examples
from outgrow.models import Lora, ModelRef, load, score_options
from outgrow.objectives import Imitation
from outgrow.tasks import load as load_task
from outgrow.training import TrainConfig, fit
from outgrow.training.rows import TrainRow

needs_bitsandbytes = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None, reason="the extra 'quantise' is not installed"
)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def questions():
    sizes = {"supervisor_train": 2, "pool": 60, "validation": 2, "test": 2}
    task = load_task("microworld", mix="natural", questions=sizes)
    wordings = [task.wording(example, 0) for example in iter_examples(task.examples("pool"))]
    return [w.prompt for w in wordings], [w.options for w in wordings]


@needs_bitsandbytes
@pytest.mark.parametrize(("bits", "kind", "least"), [("8bit", "Linear8bitLt", 0.9), ("4bit", "Linear4bit", 0.5)])
def test_a_quantised_model_gives_much_the_same_answers(questions, bits, kind, least):
    """Chance is a quarter; a model of a million parameters feels four bits more than a large one would."""
    whole = score_options(load(ModelRef(model="microworld/base")), *questions)
    loaded = load(ModelRef(model="microworld/base", quantise=bits))
    assert kind in {type(module).__name__ for module in loaded.model.modules()}
    found = score_options(loaded, *questions)
    same = [int(a.probabilities.argmax() == b.probabilities.argmax()) for a, b in zip(whole, found, strict=True)]
    assert np.mean(same) >= least
    assert any(not np.array_equal(a.logprobs, b.logprobs) for a, b in zip(whole, found, strict=True))


@needs_bitsandbytes
def test_an_adapter_is_trained_on_quantised_weights_and_nothing_else_is(questions, tmp_path):
    prompts, options = questions
    rows = [TrainRow(f"r{i}", prompts[i], options[i][0], None, None, 1.0) for i in range(8)]
    config = TrainConfig(batch_size=4, learning_rate=1e-2, max_length=64, checkpoints=1)
    quantised = ModelRef(model="microworld/base", quantise="8bit")
    with pytest.raises(ConfigError, match="quantise: 8bit has no weights that could be trained; train an adapter"):
        fit(load(quantised), rows, Imitation(), config, seed=0, total_steps=2, work=tmp_path / "a")
    with_adapter = config.model_copy(update={"lora": Lora(r=4)})
    loaded = load(quantised)
    found = fit(loaded, rows, Imitation(), with_adapter, seed=0, total_steps=8, work=tmp_path / "b")
    losses = [entry["loss"] for entry in found.history]
    assert losses[-1] < losses[0]
    trained = [name for name, p in loaded.model.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora" in name for name in trained)


def test_without_bitsandbytes_the_extra_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "bitsandbytes" else find(name, *a)
    )
    with pytest.raises(PrerequisiteError, match=r'pip install "outgrow\[quantise\]"'):
        load(ModelRef(model="microworld/mini", quantise="4bit"))
