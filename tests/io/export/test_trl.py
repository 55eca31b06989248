"""Acceptance 4: what `outgrow curate` writes trains a step in TRL's SFTTrainer, as it is, on the answer alone."""

from __future__ import annotations

import json
import warnings

import pytest

from outgrow.models.quiet import quiet

# TRL's and accelerate's own notes about versions to come are not about our file
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")

CHAT = (
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ 'question : ' + message['content'] + ' answer : ' }}"
    "{% else %}{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
)
# four questions of two words with two answers each
ASKED = {"w1 w2 ?": "red", "w3 w4 ?": "blue", "w5 w6 ?": "green", "w7 w8 ?": "red"}


@pytest.fixture
def curated(tmp_path, cli):
    """Runs `outgrow curate` on answers that agree, in a format, and gives the file."""

    def make(form, *options):
        answers, out = tmp_path / "answers.jsonl", tmp_path / f"{form}.jsonl"
        rows = [
            {"example_id": f"q{i}", "prompt": prompt, "value": value}
            for i, (prompt, value) in enumerate(ASKED.items())
            for _ in range(2)
        ]
        answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = cli("curate", answers, "--out", out, "--format", form, "--method", "majority_vote", *options)
        assert found.code == 0, found.err
        return out

    return make


@pytest.fixture
def train(tiny_lm, tmp_path):
    """One step of SFTTrainer on a file; gives the trainer, its batch of all rows, and the loss."""

    def run(path, *, chat=False, **settings):
        trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
        from transformers import AutoModelForCausalLM, AutoTokenizer

        datasets.disable_progress_bars()
        with quiet(), warnings.catch_warnings():
            tokenizer = AutoTokenizer.from_pretrained(tiny_lm)
            tokenizer.chat_template = CHAT if chat else None
            data = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
            config = trl.SFTConfig(
                output_dir=str(tmp_path / "out"),
                max_steps=1,
                per_device_train_batch_size=4,
                report_to=[],
                save_strategy="no",
                use_cpu=True,
                disable_tqdm=True,
                gradient_checkpointing=False,
                bf16=False,
                logging_strategy="no",
                **settings,
            )
            trainer = trl.SFTTrainer(
                model=AutoModelForCausalLM.from_pretrained(tiny_lm),
                args=config,
                train_dataset=data,
                processing_class=tokenizer,
            )
            batch = trainer.data_collator([trainer.train_dataset[i] for i in range(4)])
            result = trainer.train()
        assert trainer.state.global_step == 1
        return tokenizer, batch, result.training_loss

    return run


def learned(tokenizer, batch):
    """The words the loss covers, row by row."""
    return [tokenizer.convert_ids_to_tokens([int(token) for token in row if token != -100]) for row in batch["labels"]]


def context(tokenizer, batch):
    """The words before the first that the loss covers."""
    rows = zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)
    return [
        tokenizer.convert_ids_to_tokens(ids[: next(i for i, label in enumerate(labels) if label != -100)])
        for ids, labels in rows
    ]


EXPECTED = [[word, "</s>"] for word in ASKED.values()]  # the answer and the end, nothing else


def test_prompt_completion_trains_on_the_completion_alone(curated, train):
    tokenizer, batch, loss = train(curated("trl"))
    assert learned(tokenizer, batch) == EXPECTED
    assert context(tokenizer, batch) == [["<s>", *prompt.split()] for prompt in ASKED]
    assert 0 < loss < 20


def test_messages_train_on_the_assistant_alone(curated, train):
    tokenizer, batch, loss = train(curated("trl-messages"), chat=True, assistant_only_loss=True)
    assert learned(tokenizer, batch) == EXPECTED
    assert 0 < loss < 20


def test_messages_without_the_setting_train_on_the_question_too_as_the_hint_says(curated, train):
    tokenizer, batch, _ = train(curated("trl-messages"), chat=True)
    assert learned(tokenizer, batch)[0][-7:] == ["w1", "w2", "?", "answer", ":", "red", "</s>"]


def test_chat_prompt_completion_trains_on_the_assistant_without_any_setting(curated, train):
    tokenizer, batch, loss = train(curated("trl-chat"), chat=True)
    assert learned(tokenizer, batch) == EXPECTED
    assert [words[-5:] for words in context(tokenizer, batch)] == [[*p.split(), "answer", ":"] for p in ASKED]
    assert 0 < loss < 20


def test_a_column_of_unused_weights_does_not_stop_the_trainer(tmp_path, train):
    import pyarrow as pa

    from outgrow.io.export import write_rows

    rows = pa.table({"prompt": list(ASKED), "target": list(ASKED.values()), "weight": [0.5, 1.5, 1.0, 1.0]})
    path, *_ = write_rows(rows, tmp_path / "w.jsonl", format="trl", keep_weights=True)
    tokenizer, batch, _ = train(path)
    assert learned(tokenizer, batch) == EXPECTED


def test_a_byte_level_tokenizer_splits_the_prompt_alike_with_and_without_its_completion():
    """The microworld's tokenizer joins a space with the word behind it; so the space has to stand with the answer."""
    from transformers import AutoTokenizer

    from outgrow.io.export.formats import prompt_completion
    from outgrow.models.files import resolve

    tokenizer = AutoTokenizer.from_pretrained(str(resolve("microworld/mini")))

    def split(prompt, completion):
        return tokenizer(prompt)["input_ids"], tokenizer(prompt + completion)["input_ids"]

    alone, joint = split("Where does it live? Answer: ", "river")
    assert joint[: len(alone)] != alone  # what a space at the end of a prompt would do
    for prompt in ("Where does it live? Answer:", "Where does it live? Answer: ", "Where does it live?\n"):
        row = prompt_completion(prompt, "river")
        alone, joint = split(row["prompt"], row["completion"])
        assert joint[: len(alone)] == alone
