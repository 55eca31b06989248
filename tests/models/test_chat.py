"""What chat templates put around an answer, found by rendering one, and templates that do not work."""

import time

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from outgrow.core.errors import ConfigError, DataError
from outgrow.models import ModelRef, chat, generate, load, score_options
from outgrow.models.chat import ChatTemplate
from outgrow.models.quiet import quiet
from outgrow.models.text import Coder
from outgrow.objectives import imitation
from outgrow.tasks.parsing import after_reasoning
from outgrow.training import TrainConfig, TrainRow, fit

WORDS = ["[pad]", "</s>", "[unk]", "user", "model", "yes", "no", ":", "INST", "/", "think", "[", "]"]
WORDS += [f"w{i}" for i in range(20)]
ENDS = ["<end_of_turn>", "<start_of_turn>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|return|>"]
ENDS += ["<|channel|>", "<|message|>", "<|start|>"]


def tokenizer_of(template: str) -> PreTrainedTokenizerFast:
    """One token per word; special tokens of several families; </s> ends a text."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[unk]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    found = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="[pad]", unk_token="[unk]",
        additional_special_tokens=ENDS,
    )  # fmt: skip
    found.add_tokens([AddedToken("<think>"), AddedToken("</think>")])
    found.chat_template = template
    return found


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
GEMMA = (
    "{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
    "{{ m.content }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
LLAMA2 = (
    "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }} </s>{% endif %}{% endfor %}"
)
GLM = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
R1 = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if m.role == 'assistant' %}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)
HARMONY = (
    "{% for m in messages %}<|start|>{{ m.role }}{% if m.role == 'assistant' %}<|channel|>final{% endif %}<|message|>"
    "{{ m.content }}{{ '<|return|>' if m.role == 'assistant' else '<|im_end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
HEADLESS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"

AROUND = {  # what a prompt ends with, what an answer begins with and has before its end, and the token that ends it
    "chatml": (CHATML, "<|im_end|>\n<|im_start|>assistant\n", "", "", "<|im_end|>"),
    "qwen": (QWEN, "<|im_end|>\n<|im_start|>assistant\n", "<think>\n\n</think>\n\n", "", "<|im_end|>"),
    "gemma": (GEMMA, "<end_of_turn>\n<start_of_turn>model\n", "", "", "<end_of_turn>"),
    "llama2": (LLAMA2, " [/INST]", " ", " ", "</s>"),
    "glm": (GLM, "<|assistant|>\n", "", "", "<|user|>"),
    "r1": (R1, "<|assistant|><think>\n", "\n</think>\n\n", "", "</s>"),
    "harmony": (HARMONY, "<|im_end|><|start|>assistant", "<|channel|>final<|message|>", "", "<|return|>"),
    "headless": (HEADLESS, "<|im_end|>\n<|im_start|>assistant\n", "", "", "<|im_end|>"),
}


@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_an_answer_is_read_off_the_template(name):
    template, tail, opening, closing, end = AROUND[name]
    tokenizer = tokenizer_of(template)
    found = ChatTemplate(tokenizer)
    assert (found.tail, found.opening, found.closing) == (tail, opening, closing)
    assert tokenizer.convert_ids_to_tokens(found.end) == end


@pytest.mark.parametrize("name", AROUND)
def test_prompt_and_target_are_the_tokens_of_the_whole_conversation(name):
    template, _, opening, *_ = AROUND[name]
    tokenizer = tokenizer_of(template)
    coder = Coder(tokenizer, chat=True)
    messages = [{"role": "user", "content": "w1 w2"}, {"role": "assistant", "content": "yes"}]
    whole = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    ids = coder.prompts(["w1 w2"])[0] + coder.targets(["w1 w2"], ["yes"])[0]
    if name == "r1":  # the template shows no reasoning of earlier answers: the prompt's is closed at once
        think, close = tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
        whole = [*whole[:4], think, close, *whole[4:]]
    if name == "glm":
        whole = [*whole, tokenizer.convert_tokens_to_ids("<|user|>")]
    assert ids == whole[: len(ids)]
    assert ids[-1] == coder.end
    assert coder.mismatches(["w1 w2"], ["yes"]) == 0
    assert (after_reasoning(opening + "yes") or "").strip() == "yes"  # what is learned is read as the answer


def test_an_answer_with_reasoning_of_its_own_gets_no_empty_block():
    template = ChatTemplate(tokenizer_of(QWEN))
    assert template.answer("yes") == "<think>\n\n</think>\n\nyes"
    assert template.answer("<think>w1</think>yes") == "<think>w1</think>yes"


@pytest.fixture
def chatting(tmp_path):
    """Writes a random model with the chat template into a folder."""

    def make(template):
        tokenizer = tokenizer_of(template)
        config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=4, max_position_embeddings=64, initializer_range=0.2,
        )  # fmt: skip
        with quiet(), torch.random.fork_rng():
            torch.manual_seed(0)
            LlamaForCausalLM(config).save_pretrained(tmp_path)
            tokenizer.save_pretrained(tmp_path)
        return ModelRef(model=str(tmp_path), chat=True)

    return make


@pytest.mark.parametrize("name", ["gemma", "qwen"])
def test_options_are_scored_to_the_end_of_their_turn(name, chatting):
    loaded = load(chatting(AROUND[name][0]))
    messages = [{"role": "user", "content": "w1 w2"}]
    (found,) = score_options(loaded, ["w1 w2"], [("yes", "no w3")])
    for option, logprob in zip(("yes", "no w3"), found.logprobs, strict=True):
        both = [*messages, {"role": "assistant", "content": option}]
        ids = loaded.tokenizer.apply_chat_template(both, tokenize=True, return_dict=False)
        start = len(
            loaded.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
        )
        with torch.no_grad():
            logs = torch.log_softmax(loaded.model(torch.tensor([ids])).logits[0].double(), 1)
        expected = sum(float(logs[i - 1, ids[i]]) for i in range(start, len(ids)))
        assert logprob == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", ["gemma", "qwen", "glm"])
def test_a_student_learns_to_end_its_turn_and_its_text_stops_there(name, chatting, tmp_path):
    loaded = load(chatting(AROUND[name][0]))
    rows = [TrainRow("a", "w1 w2", "yes"), TrainRow("b", "w3", "no w4")]
    fit(loaded, rows, imitation, TrainConfig(batch_size=2, learning_rate=0.01), seed=0, total_steps=60, work=tmp_path)
    found = generate(loaded, ["w1 w2", "w3"], max_new_tokens=12)
    assert [after_reasoning(text.text) for text in found] == ["yes", "no w4"]
    assert {text.finish_reason for text in found} == {"stop"}
    (scores,) = score_options(loaded, ["w1 w2"], [("yes", "no")])
    assert scores.logprobs[0] > -0.1  # with </s> at its end, which no turn has, it would be far below


def test_thinking_is_a_switch_of_the_template(chatting):
    ref = chatting(QWEN)
    plain, on, off = (load(ref.model_copy(update={"thinking": own})).coder for own in (None, True, False))
    (short,) = plain.prompts(["w1"])
    think, close = plain.tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    assert on.prompts(["w1"]) == [short]
    assert off.prompts(["w1"]) == [[*short, think, close]]
    yes = plain.tokenizer.convert_tokens_to_ids("yes")
    assert plain.targets(["w1"], ["yes"]) == [[think, close, yes, plain.end]]
    assert off.targets(["w1"], ["yes"]) == [[yes, off.end]]


def test_thinking_without_a_switch_or_without_a_chat_is_refused(chatting):
    ref = chatting(CHATML)
    with pytest.raises(ConfigError, match=r"thinking: false changes nothing.*enable_thinking.*leave thinking out"):
        load(ref.model_copy(update={"thinking": False}))
    with pytest.raises(ValueError, match="thinking: true is a switch of chat templates; set chat: true"):
        ModelRef(model="m", thinking=True)
    assert "thinking" not in ModelRef(model="m", chat=True).model_dump()


BROKEN = {
    "syntax": ("{% for %}", r"fails: TemplateSyntaxError.*set chat: false"),
    "raises": ("{{ raise_exception('no user here') }}", "fails: .*no user here"),
    "undefined": ("{{ nothing.at.all }}", "fails: UndefinedError"),
    "loud": ("{% for i in range(100000) %}{{ 'x' * 100 }}{% endfor %}", "131072 characters"),
    "loops": ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "0.3 seconds"),
    "doubles": ("{% set n = namespace(x='ab') %}{% for i in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "MiB"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_template_that_fails_or_has_no_end_is_a_clear_error_soon(name, monkeypatch):
    template, says = BROKEN[name]
    monkeypatch.setattr(chat, "SECONDS", 0.3)
    monkeypatch.setattr(chat, "MEMORY", 1 << 28)
    start = time.monotonic()
    with pytest.raises(DataError, match=says) as caught:
        Coder(tokenizer_of(template), chat=True)
    assert time.monotonic() - start < 8
    assert len(str(caught.value)) < 700


def test_a_template_that_explodes_for_one_prompt_is_stopped_there(monkeypatch):
    monkeypatch.setattr(chat, "SECONDS", 0.3)
    template = (
        "{% for m in messages %}{% if 'bad' in m.content %}{% for i in range(99999) %}{% for j in range(99999) %}"
        "{% endfor %}{% endfor %}{% endif %}[{{ m.content }}]{% endfor %}"
    )
    coder = Coder(tokenizer_of(template), chat=True)
    assert len(coder.prompts(["w1"])) == 1
    with pytest.raises(DataError, match="has no end"):
        coder.prompts(["w1", "bad"])
