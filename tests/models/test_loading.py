"""Models load by one path, and what was saved comes back the same."""

import json

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.models import ModelRef, classify, load, save, score_options
from outgrow.models.config import Lora
from outgrow.models.heads import SequenceClassifier
from outgrow.models.quiet import quiet
from outgrow.training import TrainConfig, TrainRow, fit

PROMPTS = ["question : w1 w2", "question : w3 ?"]
OPTIONS = [("yes", "no"), ("red", "green blue")]


def scores(loaded):
    return np.concatenate([score.logprobs for score in score_options(loaded, PROMPTS, OPTIONS)])


def trained(folder, work, lora=None, head="lm"):
    loaded = load(ModelRef(model=str(folder), head=head), ("yes", "no"), seed=1)
    rows = [TrainRow("a", PROMPTS[0], "yes"), TrainRow("b", PROMPTS[1], "no")]
    from outgrow.objectives import imitation

    config = TrainConfig(batch_size=2, learning_rate=0.01, lora=lora, warmup=0.0)
    fit(loaded, rows, imitation, config, seed=0, total_steps=3, work=work)
    return loaded


def test_loading_twice_gives_the_same_model_in_evaluation_mode(tiny_lm):
    first, second = (load(ModelRef(model=str(tiny_lm))) for _ in range(2))
    assert not first.head.training
    assert scores(first).tolist() == scores(second).tolist()


def test_tuned_weights_come_back_exactly(tiny_lm, tmp_path):
    loaded = trained(tiny_lm, tmp_path / "work")
    save(loaded, tmp_path / "saved")
    again = load(ModelRef(model=str(tiny_lm)), weights=tmp_path / "saved")
    assert scores(again).tolist() == scores(loaded).tolist()
    assert scores(again).tolist() != scores(load(ModelRef(model=str(tiny_lm)))).tolist()


def test_adapter_comes_back_exactly_and_is_all_that_is_saved(tiny_lm, tmp_path):
    loaded = trained(tiny_lm, tmp_path / "work", Lora(r=2, alpha=4.0))
    save(loaded, tmp_path / "saved")
    again = load(ModelRef(model=str(tiny_lm)), weights=tmp_path / "saved")
    assert scores(again).tolist() == scores(loaded).tolist()
    assert scores(again).tolist() != scores(load(ModelRef(model=str(tiny_lm)))).tolist()
    names = {file.name for file in (tmp_path / "saved").iterdir()}
    assert names == {"adapter_model.safetensors", "adapter_config.json", "outgrow.json"}


def test_adapter_names_its_model_as_the_recipe_does_without_a_warning(tmp_path, recwarn):
    loaded = trained("microworld/nano", tmp_path / "work", Lora(r=2))
    save(loaded, tmp_path / "saved")
    config = json.loads((tmp_path / "saved" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == "microworld/nano"
    assert not [str(one.message) for one in recwarn if "base_model" in str(one.message)]


@pytest.mark.parametrize("modules", [("q_prj",), "q_proj|nothing"])
def test_adapter_on_matrices_that_are_not_there_is_refused_with_those_that_are(tmp_path, modules):
    with pytest.raises(ConfigError, match=r"lora.target_modules .*microworld/nano .*it has q_proj, k_proj.*lm_head"):
        trained("microworld/nano", tmp_path, Lora(target_modules=modules))


def test_adapter_on_a_broken_pattern_is_refused():
    with pytest.raises(ValueError, match=r"no regular expression.*list of names"):
        Lora(target_modules="q_proj(")


def test_classifier_comes_back_exactly(tiny_bert, tmp_path):
    loaded = trained(tiny_bert, tmp_path / "work", head="classifier")
    save(loaded, tmp_path / "saved")
    again = load(ModelRef(model=str(tiny_bert), head="classifier"), ("yes", "no"), weights=tmp_path / "saved")
    assert classify(again, PROMPTS).tolist() == classify(loaded, PROMPTS).tolist()


def test_saved_files_are_tensors_and_json_only(tiny_lm, tmp_path):
    save(load(ModelRef(model=str(tiny_lm))), tmp_path / "saved")
    for file in (tmp_path / "saved").iterdir():
        assert file.suffix in {".safetensors", ".json"}
        if file.suffix == ".json":
            json.loads(file.read_text(encoding="utf-8"))


def test_saved_model_loads_in_plain_transformers(tiny_lm, tmp_path):
    from transformers import AutoModelForCausalLM

    loaded = trained(tiny_lm, tmp_path / "work")
    save(loaded, tmp_path / "saved")
    with quiet():
        plain = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    ids = torch.tensor([[1, 4, 12]])
    assert torch.equal(plain(ids).logits, loaded.model(ids).logits)


def test_weights_saved_with_another_head_or_other_classes_are_refused(tiny_bert, tmp_path):
    loaded = load(ModelRef(model=str(tiny_bert), head="classifier"), ("yes", "no"))
    save(loaded, tmp_path / "saved")
    ref = ModelRef(model=str(tiny_bert), head="classifier")
    with pytest.raises(ConfigError, match=r"classes \['yes', 'no'\]"):
        load(ref, ("no", "yes"), weights=tmp_path / "saved")
    with pytest.raises(ConfigError, match=r"outgrow\.json is missing"):
        load(ref, ("no", "yes"), weights=tmp_path)


@pytest.mark.parametrize("classes", [None, ("one",), ("same", "same")])
def test_classifier_needs_two_different_classes(tiny_bert, classes):
    with pytest.raises(DataError, match="at least two different classes"):
        load(ModelRef(model=str(tiny_bert), head="classifier"), classes)


def test_new_classifier_layer_comes_from_the_seed(tiny_bert):
    ref = ModelRef(model=str(tiny_bert), head="classifier")
    one, same, other = (load(ref, ("a", "b"), seed=seed).head.linear.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert 0.01 < float(one.detach().std()) < 0.04  # drawn with standard deviation .02


@pytest.mark.parametrize("tied", [True, False])
def test_unembedding_start_gives_the_language_models_own_scores_of_the_classes(tiny_lm, tmp_path, tied):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_lm, tie_word_embeddings=tied)
    if not tied:
        torch.nn.init.normal_(model.lm_head.weight, generator=torch.Generator().manual_seed(5))
    with quiet():
        model.save_pretrained(tmp_path)
        load(ModelRef(model=str(tiny_lm))).tokenizer.save_pretrained(tmp_path)
    ref = ModelRef(model=str(tmp_path), head="classifier", head_start="unembedding")
    loaded = load(ref, ("red w3", "yes", "no"), seed=1)
    ids = torch.tensor([loaded.tokenizer("w1 w2")["input_ids"]])
    first = loaded.tokenizer.convert_tokens_to_ids(["red", "yes", "no"])
    expected = torch.log_softmax(model.eval()(ids).logits[0, -1, first].double(), 0).detach().numpy()
    np.testing.assert_allclose(classify(loaded, ["w1 w2"])[0], expected, atol=1e-5)
    assert not loaded.head.linear.bias.any()


def test_unembedding_start_is_trained_saved_and_loaded_as_any_other(tiny_lm, tmp_path):
    ref = ModelRef(model=str(tiny_lm), head="classifier", head_start="unembedding")
    loaded = load(ref, ("yes", "no"))
    from outgrow.objectives import imitation

    rows = [TrainRow("a", PROMPTS[0], "yes"), TrainRow("b", PROMPTS[1], "no")]
    fit(loaded, rows, imitation, TrainConfig(batch_size=2), seed=0, total_steps=2, work=tmp_path / "work")
    save(loaded, tmp_path / "saved")
    again = load(ref, ("yes", "no"), weights=tmp_path / "saved")
    assert classify(again, PROMPTS).tolist() == classify(loaded, PROMPTS).tolist()


def test_unembedding_start_is_refused_for_encoders_and_other_heads(tiny_bert):
    ref = ModelRef(model=str(tiny_bert), head="classifier", head_start="unembedding")
    with pytest.raises(
        ConfigError,
        match=r"head_start: unembedding with head: classifier needs a causal language model.*leave head_start out",
    ):
        load(ref, ("yes", "no"))
    with pytest.raises(ValueError, match="head_start: unembedding is of head: classifier"):
        ModelRef(model=str(tiny_bert), head_start="unembedding")


def test_settings_that_are_off_are_not_written_down(tiny_lm):
    assert "head_start" not in ModelRef(model="m", head="classifier").model_dump()
    on = ModelRef(model="m", head="classifier", head_start="unembedding")
    assert on.model_dump()["head_start"] == "unembedding"


def test_weights_saved_before_there_were_readings_are_read_by_softmax(tiny_bert, tmp_path):
    ref = ModelRef(model=str(tiny_bert), head="classifier")
    save(load(ref, ("yes", "no")), tmp_path)
    facts = json.loads((tmp_path / "outgrow.json").read_text(encoding="utf-8"))
    assert facts.pop("reading") == "softmax"
    (tmp_path / "outgrow.json").write_text(json.dumps(facts), encoding="utf-8")
    assert load(ref, ("yes", "no"), weights=tmp_path).reading == "softmax"


def test_cut_model_is_the_first_layers_of_the_whole_one(tiny_bert):
    ref = ModelRef(model=str(tiny_bert), head="classifier")
    whole, cut = (load(r, ("a", "b")).model for r in (ref, ref.model_copy(update={"layers": 1})))
    assert len(whole.encoder.layer) == 3
    assert len(cut.encoder.layer) == 1
    ids = torch.tensor([[1, 5, 9, 2]])
    states = whole(ids, output_hidden_states=True).hidden_states
    torch.testing.assert_close(cut(ids).last_hidden_state, states[1], rtol=0, atol=1e-6)


def test_cutting_to_more_layers_than_there_are_is_refused(tiny_lm):
    with pytest.raises(ConfigError, match="layers: 5 asked for, but the model has 2"):
        load(ModelRef(model=str(tiny_lm), layers=5))


def test_unknown_hub_model_without_a_network_is_named_with_the_shipped_ones():
    with pytest.raises(
        PrerequisiteError, match=r"there is no model 'minilmm'; did you mean 'minilm'\? known: .*minilm"
    ):
        load(ModelRef(model="minilmm"))


@pytest.mark.parametrize(("pooling", "positions"), [("cls", [0]), ("mean", [0, 1, 2, 3]), ("last", [3])])
def test_pooling_reads_the_tokens_it_names(tiny_bert, pooling, positions):
    ref = ModelRef(model=str(tiny_bert), head="classifier", pooling=pooling)
    loaded = load(ref, ("a", "b"))
    ids = loaded.tokenizer("w1 w2")["input_ids"]
    assert len(ids) == 4  # [CLS] w1 w2 [SEP]
    state = loaded.model(torch.tensor([ids])).last_hidden_state[0, positions].mean(0)
    expected = torch.log_softmax(loaded.head.linear(state), 0)
    # a longer neighbour makes the padding that must not be read
    found = classify(loaded, ["w1 w2", "w1 w2 w3 w4 w5 w6 w7"])
    np.testing.assert_allclose(found[0], expected.detach().numpy(), atol=1e-5)


def test_auto_pooling_is_mean_for_encoders_and_last_token_for_causal_models(tiny_bert, tiny_lm):
    assert load(ModelRef(model=str(tiny_bert), head="classifier"), ("a", "b")).head.pooling == "mean"
    assert load(ModelRef(model=str(tiny_lm), head="classifier"), ("a", "b")).head.pooling == "last"


def test_encoder_is_built_without_the_pooler_that_nobody_would_train(tiny_bert):
    loaded = load(ModelRef(model=str(tiny_bert), head="classifier"), ("a", "b"))
    assert not [name for name, _ in loaded.head.named_parameters() if "pooler" in name]


def test_model_with_its_own_classifier_answers_by_it_in_our_order_of_classes(tiny_bert, tmp_path):
    config = BertConfig.from_pretrained(tiny_bert)
    config.id2label = {0: "no", 1: "yes"}
    config.label2id = {"no": 0, "yes": 1}
    with quiet():
        own = BertForSequenceClassification(config).eval()
        own.save_pretrained(tmp_path)
        load(ModelRef(model=str(tiny_bert), head="classifier"), ("a", "b")).tokenizer.save_pretrained(tmp_path)
    loaded = load(ModelRef(model=str(tmp_path), head="classifier"), ("yes", "no"))
    assert isinstance(loaded.head, SequenceClassifier)
    ids = torch.tensor([loaded.tokenizer("w1 w2")["input_ids"]])
    expected = torch.log_softmax(own(ids).logits[0], 0).detach().numpy()
    np.testing.assert_allclose(classify(loaded, ["w1 w2"])[0], expected[[1, 0]], atol=1e-6)


def test_bfloat16_weights_are_held_as_asked(tiny_lm):
    assert load(ModelRef(model=str(tiny_lm), dtype="bfloat16")).model.dtype == torch.bfloat16


def test_settings_that_came_with_the_model_do_not_steer_generation(tiny_lm, tmp_path):
    from transformers import GenerationConfig

    loaded = load(ModelRef(model=str(tiny_lm)))
    save(loaded, tmp_path)
    GenerationConfig(repetition_penalty=5.0, do_sample=True, eos_token_id=[2, 3]).save_pretrained(tmp_path)
    again = load(ModelRef(model=str(tmp_path)))
    assert again.model.generation_config.repetition_penalty is None
    assert again.model.generation_config.eos_token_id == [2, 3]
