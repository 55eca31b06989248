"""Pretrains the ladder of base models from scratch on the world's training text.

`python scripts/build_microworld.py` calls `build`. It is seeded and resumable: a checkpoint is written every
`CHECKPOINT_STEPS` steps, and a build that was stopped goes on from there. A GPU is used when there is one.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from microworld.editions import FIRST, Edition
from outgrow.core.errors import ConfigError
from outgrow.tasks.microworld.ladder import Rung
from outgrow.tasks.microworld.world import BEGINNINGS, ENDINGS, World

BLOCK = 128
BATCH = 8
CHECKPOINT_STEPS = 500
VOCABULARY = 4096
TOKENIZER_DOCUMENTS = 60_000
ENCODED_DOCUMENTS = 5000  # at a time
BOS, EOS, PAD = "<s>", "</s>", "<pad>"


def train_tokenizer(world: World, edition: Edition = FIRST, rung: Rung | None = None) -> Any:
    """A byte-level BPE tokenizer of `VOCABULARY` entries, digits apart, trained on the world's own text.

    For a rung that reads characters it has bytes alone.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    # ByteLevel puts one space before the first word, so that a word is the same token everywhere in a text.
    plain = [pre_tokenizers.ByteLevel(add_prefix_space=True), pre_tokenizers.Digits(individual_digits=True)]
    # The parts of a name are one token each, so a cue can be told from the entity it is in.
    parts = Regex("(?<=" + "|".join(BEGINNINGS) + ")(?=[a-z])|(?<=[a-z])(?=(?:" + "|".join(ENDINGS) + r")\b)")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*plain, pre_tokenizers.Split(parts, "isolated")])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + 3 if rung and rung.characters else VOCABULARY,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bare = re.sub(r"\{[a-z]+\}", "", " ".join(edition.prompts))
    text = islice(edition.documents(world, edition.ladder["base"], -1, 0), TOKENIZER_DOCUMENTS)
    tokenizer.train_from_iterator(chain(text, [bare] * 200), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, 1)])
    make: Any = PreTrainedTokenizerFast
    return make(tokenizer_object=tokenizer, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=context(rung))


def context(rung: Rung | None) -> int:
    """The longest text of a model, in tokens."""
    return 1024 if rung and rung.characters else 256


def model_config(rung: Rung, vocabulary: int, spread: float = 0.02) -> Any:
    """The Llama architecture of one rung, its weights drawn with standard deviation `spread`."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=rung.hidden,
        intermediate_size=8 * round(rung.hidden * 8 / 3 / 8),
        num_hidden_layers=rung.layers,
        num_attention_heads=rung.heads,
        max_position_embeddings=context(rung),
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        initializer_range=spread,
    )


def packed(world: World, rung: Rung, tokenizer: Any, seed: int, edition: Edition = FIRST) -> np.ndarray:
    """Training text as one array of token ids, documents between <s> and </s>, cut into blocks of half the context."""
    stream = edition.documents(world, rung, seed, None)
    backend = tokenizer.backend_tokenizer
    pieces: list[int] = []
    while len(pieces) < rung.tokens:
        for encoding in backend.encode_batch(list(islice(stream, ENCODED_DOCUMENTS))):
            pieces += [*encoding.ids, 2]
    block = context(rung) // 2
    ids = np.asarray(pieces[: rung.tokens // block * block], dtype=np.int32)
    return ids.reshape(-1, block)


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over 2 % of the steps, then a cosine to 2 % of the peak."""
    warm = max(1, steps // 50)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))))


def apart(batch: Any) -> dict[str, Any]:
    """Attention mask and positions by which the documents of a block do not see each other.

    So a name that comes again is the one of its own document, as in a question, and copying is learnt in a fraction of
    the text: a model 64 wide copied names into sentences it had never seen .74 of the time after 1 M tokens, and .03
    where it saw the documents before.

    Args:
        batch: token ids, (rows, block); a document begins with <s>.
    """
    import torch

    begins, places = batch == 1, torch.arange(batch.shape[1], device=batch.device)
    document = begins.cumsum(1)
    same = (document[:, :, None] == document[:, None, :]) & (places[:, None] >= places[None, :])
    mask = torch.zeros(same.shape, device=batch.device).masked_fill(~same, float("-inf"))[:, None]
    return {"attention_mask": mask, "position_ids": places - torch.where(begins, places, 0).cummax(1).values}


def pretrain(
    world: World,
    rung: Rung,
    tokenizer: Any,
    folder: Path,
    *,
    edition: Edition = FIRST,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int, float], None] | None = None,
) -> dict[str, Any]:
    """Train one rung from scratch and save it in Hugging Face format, 16 bit.

    Returns:
        Facts for the model card: tokens, steps, parameters, final loss (nats per token, mean of the last 100 steps),
        seconds and device.
    """
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import LlamaForCausalLM

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = LlamaForCausalLM(model_config(rung, len(tokenizer), edition.spread(rung)))
    model.to(device)
    blocks = packed(world, rung, tokenizer, seed, edition)
    batch_size = BATCH * BLOCK // blocks.shape[1]  # rows of as many tokens as in eight of the usual ones
    steps = len(blocks) // batch_size
    decay = [p for p in model.parameters() if p.ndim > 1]
    flat = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": flat, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=rung.learning_rate, betas=(0.9, 0.98), fused=True)
    parameters = [*decay, *flat]

    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    fingerprint = {"rung": asdict(rung), "world": asdict(world.config), "seed": seed, "blocks": list(blocks.shape)}
    start, losses, spent = 0, [], 0.0
    state_file = work / "state.json"
    if state_file.exists():
        state = json.loads(state_file.read_text(encoding="utf-8"))
        if state["fingerprint"] != fingerprint:
            raise ConfigError(f"{state_file} belongs to another build ({state['fingerprint']}); remove {work}")
        start, losses, spent = state["step"], state["losses"], state["seconds"]
        tensors = load_file(str(work / f"step-{start}.safetensors"))
        for i, p in enumerate(parameters):
            p.data.copy_(tensors[f"p{i}"])
            optimiser.state[p] = {
                "step": torch.tensor(float(start)),
                "exp_avg": tensors[f"m{i}"].to(device),
                "exp_avg_sq": tensors[f"v{i}"].to(device),
            }

    model.train()
    began = time.monotonic()
    for step in range(start, steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps, rung.learning_rate)
        batch = torch.from_numpy(blocks[step * batch_size : (step + 1) * batch_size].astype(np.int64)).to(device)
        seen = apart(batch) if edition.apart else {}
        hidden = model.model(input_ids=batch, use_cache=False, **seen).last_hidden_state[:, :-1]
        logits = model.lm_head(hidden).float()
        loss: Any = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(float(loss.detach()))
        if progress is not None:
            progress(step + 1, steps, losses[-1])
        if (step + 1) % CHECKPOINT_STEPS == 0 and step + 1 < steps:
            tensors = {}
            for i, p in enumerate(parameters):
                s = optimiser.state[p]
                tensors |= {f"p{i}": p.data, f"m{i}": s["exp_avg"], f"v{i}": s["exp_avg_sq"]}
            save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, work / f"step-{step + 1}.safetensors")
            state = {
                "fingerprint": fingerprint,
                "step": step + 1,
                "losses": losses,
                "seconds": spent + time.monotonic() - began,
            }
            temporary = work / "state.json.new"
            temporary.write_text(json.dumps(state), encoding="utf-8")
            temporary.replace(state_file)
            (work / f"step-{step + 1 - CHECKPOINT_STEPS}.safetensors").unlink(missing_ok=True)

    model.to(torch.float16).cpu().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for file in work.iterdir():
        file.unlink()
    work.rmdir()
    return {
        "tokens": int(blocks.size),
        "steps": steps,
        "parameters": sum(p.numel() for p in parameters),
        "loss": float(np.mean(losses[-100:])),
        "seconds": spent + time.monotonic() - began,
        "device": device,
    }
