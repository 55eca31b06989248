"""Shared by all tests: nothing may reach for a network."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # results are compared to the bit, also with those of child processes
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _word_tokenizer(special: tuple[str, str], template: str, **names: str) -> Any:
    """One token per word and punctuation mark: w0 .. w79 and a few words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["[pad]", *special, "[unk]", "question", "answer", "yes", "no", "red", "green", "blue", "is", ":", "?"]
    words += [f"w{i}" for i in range(80)]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[unk]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    ids = [(word, words.index(word)) for word in special if word in template]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[pad]", unk_token="[unk]", **names)


@pytest.fixture(scope="session")
def tiny_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random Llama (2 layers, 32 wide, 94 words); a text starts with <s>, and </s> ends an answer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from outgrow.models.quiet import quiet

    folder = tmp_path_factory.mktemp("tiny") / "lm"
    tokenizer = _word_tokenizer(("<s>", "</s>"), "<s> $A", bos_token="<s>", eos_token="</s>")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        tie_word_embeddings=True,
        initializer_range=0.2,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random BERT encoder (3 layers, 32 wide, dropout .1) between [CLS] and [SEP]."""
    import torch
    from transformers import BertConfig, BertModel

    from outgrow.models.quiet import quiet

    folder = tmp_path_factory.mktemp("tiny") / "bert"
    tokenizer = _word_tokenizer(
        ("[CLS]", "[SEP]"), "[CLS] $A [SEP]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=64
    )
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.2,
        pad_token_id=0,
    )
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def launch() -> Callable[..., tuple[int, str]]:
    """Starts several ranks on the CPU by `torchrun` (or `by` another launcher): exit status and output."""

    def run(*arguments: object, ranks: int = 2, by: tuple[str, ...] = (), **environment: str) -> tuple[int, str]:
        source = str(Path(__file__).parents[1] / "src")
        env = {**os.environ, "ACCELERATE_USE_CPU": "true", **environment}
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [source, env.get("PYTHONPATH", "")]))
        by = by or ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks))
        process = subprocess.Popen(
            [sys.executable, *by, *map(str, arguments)],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        try:
            output, _ = process.communicate(timeout=540)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"the launch hangs: {process.communicate()[0]}")
        return process.returncode, output

    return run


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., SimpleNamespace]:
    """Runs `outgrow ...` in this process: exit code, stdout, stderr."""
    from outgrow.__main__ import main

    def run(*arguments: object) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["outgrow", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err)

    return run


@pytest.fixture(scope="session")
def s3_server() -> Iterator[dict[str, str]]:
    """The settings that lead to a real S3 server on loopback."""
    pytest.importorskip("obstore")
    pytest.importorskip("moto")
    with _object_server().running() as settings:
        yield settings


@pytest.fixture
def s3_url(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """URL of a store in an empty bucket of its own; the cache is the test's own, too."""
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path / "cache"))
    return str(_object_server().new_bucket())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte; `mount -o remount,size=...` makes it larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no mount command: {error}")
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _object_server() -> Any:
    spec = importlib.util.spec_from_file_location("object_server", Path(__file__).with_name("object_server.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
