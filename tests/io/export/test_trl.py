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


PREFERRED = {"w1 w2 ?": ("red", "blue"), "w3 w4 ?": ("blue w5", "green"), "w5 w6 ? ": ("green", "is w7 w8")}


@pytest.fixture
def preferred(tmp_path, cli):
    """Runs `outgrow pairs` on a public file of judgements, in a format, and gives the file."""

    def make(form, *options):
        given, out = tmp_path / "given.jsonl", tmp_path / f"{form}.jsonl"
        rows = [{"prompt": p, "chosen": c, "rejected": r} for p, (c, r) in PREFERRED.items() for _ in range(3)]
        rows += [{"prompt": p, "chosen": r, "rejected": c} for p, (c, r) in list(PREFERRED.items())[:2]]
        given.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = cli("pairs", given, "--out", out, "--format", form, *options)
        assert found.code == 0, found.err
        return out

    return make


@pytest.fixture
def prefer(tiny_lm, tmp_path):
    """One step of DPOTrainer on a file; gives its tokenised rows and the loss."""

    def run(path, *, chat=False):
        trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
        from transformers import AutoModelForCausalLM, AutoTokenizer

        datasets.disable_progress_bars()
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tokenizer = AutoTokenizer.from_pretrained(tiny_lm)
            tokenizer.chat_template = CHAT if chat else None
            data = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
            config = trl.DPOConfig(
                output_dir=str(tmp_path / "out"), max_steps=1, per_device_train_batch_size=3, report_to=[], bf16=False,
                save_strategy="no", use_cpu=True, disable_tqdm=True, gradient_checkpointing=False,
                logging_strategy="no",
            )  # fmt: skip
            model = AutoModelForCausalLM.from_pretrained(tiny_lm)
            trainer = trl.DPOTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer)
            rows = [trainer.train_dataset[i] for i in range(len(trainer.train_dataset))]
            loss = trainer.train().training_loss
        assert trainer.state.global_step == 1
        return [tuple(row[f"{name}_ids"] for name in ("prompt", "chosen", "rejected")) for row in rows], loss

    return run


def our_tokens(model, path):
    """The prompts and both answers of a file as our own training has them."""
    from outgrow import read_pairs
    from outgrow.models import ModelRef, load
    from outgrow.training import TrainRow
    from outgrow.training.encode import encode

    rows = [
        TrainRow(row["row_id"], row["prompt"], None, (row["chosen"], row["rejected"]), (1.0, 0.0))
        for row in read_pairs(path).to_pylist()
    ]
    encoded = encode(load(ModelRef(model=str(model))), rows, 64)
    assert encoded.truncated == 0
    return [(group.prompt, *group.answers) for group in encoded.groups]


def test_pairs_of_public_judgements_train_a_step_of_dpo_on_exactly_our_tokens(preferred, prefer, tiny_lm):
    """Three of four judgements, or all three: p_better .75, .75 and 1, so weights .5, .5 and 1 to their mean."""
    weighted = [json.loads(line) for line in preferred("pairs", "--weigh", "confidence").read_text().splitlines()]
    assert [row["p_better"] for row in weighted] == [0.75, 0.75, 1.0]
    assert [row["weight"] for row in weighted] == pytest.approx([0.75, 0.75, 1.5])
    path = preferred("trl-preference", "--weigh", "confidence", "--weights", "keep-unused")
    theirs, loss = prefer(path)
    own = our_tokens(tiny_lm, path.with_name("pairs.jsonl"))
    assert theirs == own == our_tokens(tiny_lm, path)
    assert [len(prompt) for prompt, *_ in own] == [4, 4, 4]  # <s> and three words
    assert [[len(answer) for answer in answers] for _, *answers in own] == [[2, 2], [3, 2], [2, 4]]  # with </s>
    assert loss == pytest.approx(0.6931, abs=1e-4)  # the first loss is ln 2


def test_pairs_as_chats_train_a_step_of_dpo_on_both_answers(preferred, prefer, tiny_lm):
    from transformers import AutoTokenizer

    theirs, loss = prefer(preferred("trl-preference-chat"), chat=True)
    tokenizer = AutoTokenizer.from_pretrained(tiny_lm)
    for (_, *answers), texts in zip(theirs, PREFERRED.values(), strict=True):
        assert [tokenizer.convert_ids_to_tokens(ids) for ids in answers] == [[*text.split(), "</s>"] for text in texts]
    assert loss == pytest.approx(0.6931, abs=1e-4)
