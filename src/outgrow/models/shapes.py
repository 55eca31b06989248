"""The shape of a transformer: how many numbers it holds and which matrices every position passes through.

Read from the `config.json` of a model; needs no torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outgrow.core.errors import ConfigError
from outgrow.core.names import unknown
from outgrow.models.config import Lora

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gpt2", "gpt_neox", "bert")
"""Values of `model_type` whose parameters are counted exactly without building the model."""

LAYERS = {"gpt2": "transformer.h", "gpt_neox": "gpt_neox.layers", "bert": "encoder.layer"}
"""What a family calls its layers; `model.layers` where it is not said."""


@dataclass(frozen=True)
class Linear:
    """A matrix of a layer: its name within it, and the widths it maps between."""

    name: str
    inputs: int
    outputs: int

    @property
    def size(self) -> int:
        """Entries."""
        return self.inputs * self.outputs


@dataclass(frozen=True)
class Shape:
    """The numbers that decide what a transformer costs.

    Attributes:
        family: `model_type` of the configuration, one of `FAMILIES`.
        layers: number of blocks.
        hidden: width of the residual stream.
        heads: of queries.
        kv_heads: of keys and values; fewer than `heads` where several queries share them.
        head_dim: width of a head.
        intermediate: width inside the feed-forward part.
        vocabulary: rows of the embedding.
        positions: longest sequence.
        tied: the head is the embedding.
        qkv_bias: queries, keys and values have biases (families that leave it open).
        dropout: training leaves out parts of the residual stream by chance.
        attention_dropout: training leaves out attention weights by chance, so that they are held in memory.
    """

    family: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    positions: int
    tied: bool
    qkv_bias: bool = False
    dropout: bool = False
    attention_dropout: bool = False

    @property
    def gated(self) -> bool:
        """The feed-forward part multiplies two projections (arXiv 2002.05202)."""
        return self.family in ("llama", "mistral", "qwen2", "qwen3")

    @property
    def linears(self) -> tuple[Linear, ...]:
        """The matrices of one layer."""
        h, q, kv, m = self.hidden, self.heads * self.head_dim, self.kv_heads * self.head_dim, self.intermediate
        if self.family == "gpt2":
            sizes = {"attn.c_attn": (h, 3 * h), "attn.c_proj": (h, h), "mlp.c_fc": (h, m), "mlp.c_proj": (m, h)}
        elif self.family == "gpt_neox":
            sizes = {"attention.query_key_value": (h, 3 * h), "attention.dense": (h, h)}
            sizes |= {"mlp.dense_h_to_4h": (h, m), "mlp.dense_4h_to_h": (m, h)}
        elif self.family == "bert":
            sizes = {f"attention.self.{name}": (h, h) for name in ("query", "key", "value")}
            sizes |= {"attention.output.dense": (h, h), "intermediate.dense": (h, m), "output.dense": (m, h)}
        else:
            sizes = {"self_attn.q_proj": (h, q), "self_attn.k_proj": (h, kv), "self_attn.v_proj": (h, kv)}
            sizes |= {
                "self_attn.o_proj": (q, h),
                "mlp.gate_proj": (h, m),
                "mlp.up_proj": (h, m),
                "mlp.down_proj": (m, h),
            }
        return tuple(Linear(name, *size) for name, size in sizes.items())

    @property
    def matrices(self) -> int:
        """Entries of one layer's matrices: what every position is multiplied with."""
        return sum(linear.size for linear in self.linears)

    @property
    def feed_forward(self) -> int:
        """Entries of the matrices of a layer's feed-forward part."""
        return sum(linear.size for linear in self.linears[-3 if self.gated else -2 :])

    @property
    def embeddings(self) -> int:
        """Entries of the embeddings and of a head of its own."""
        learned = self.positions * self.hidden if self.family in ("gpt2", "bert") else 0
        types = 2 * self.hidden if self.family == "bert" else 0
        own = 0 if self.tied or self.family == "bert" else self.vocabulary * self.hidden
        return self.vocabulary * self.hidden + learned + types + own

    @property
    def parameters(self) -> int:
        """All parameters, those of norms and biases included; a head that is the embedding counts once."""
        h = self.hidden
        if self.family in ("gpt2", "gpt_neox", "bert"):
            biases = sum(linear.outputs for linear in self.linears)
            return self.embeddings + self.layers * (self.matrices + biases + 4 * h) + 2 * h
        biases = (self.heads + 2 * self.kv_heads) * self.head_dim if self.qkv_bias else 0
        norms = 2 * h + (2 * self.head_dim if self.family == "qwen3" else 0)
        return self.embeddings + self.layers * (self.matrices + biases + norms) + h

    def adapter(self, r: int, modules: str | tuple[str, ...]) -> int:
        """Parameters of a LoRA adapter (arXiv 2106.09685): r rows and r columns beside each matrix it sits on.

        Args:
            r: its rank.
            modules: `all-linear`, names of matrices, or a regular expression that matches a whole name, the module
                that it is in and so on included (as `peft` has it).
        """
        return sum(r * (linear.inputs + linear.outputs) for linear in self.adapted(modules))

    def trained(self, lora: Lora | None) -> int:
        """Parameters that a training changes: those of the adapter, or all."""
        return self.parameters if lora is None else self.adapter(lora.r, lora.target_modules)

    def adapted(self, modules: str | tuple[str, ...]) -> list[Linear]:
        """The matrices of all layers that an adapter sits on; `modules` as for `adapter`.

        Raises:
            ConfigError: there is none.
        """
        before = LAYERS.get(self.family, "model.layers")
        chosen = [
            linear
            for layer in range(self.layers)
            for linear in self.linears
            if _on(f"{before}.{layer}.{linear.name}", modules)
        ]
        if not chosen:
            raise ConfigError(
                f"lora.target_modules {modules!r} names no matrix of this model; it has "
                f"{', '.join(f'{before}.0.{linear.name}' for linear in self.linears)}"
            )
        return chosen

    def cut(self, layers: int | None) -> Shape:
        """The same with its first `layers` layers alone."""
        return self if layers is None else replace(self, layers=min(layers, self.layers))


def _on(name: str, modules: str | tuple[str, ...]) -> bool:
    if modules == "all-linear":
        return True
    if isinstance(modules, str):
        return re.fullmatch(modules, name) is not None
    return any(name.endswith(f".{module}") for module in modules)


def shape_of(config: Mapping[str, Any], where: str) -> Shape:
    """The shape that a model's configuration describes.

    Args:
        config: as in `config.json`; a nested `text_config` is the one that counts.
        where: what a message calls it.

    Raises:
        ConfigError: another family, or an entry is missing.
    """
    config = config.get("text_config") or config
    family = config.get("model_type")
    if family not in FAMILIES:
        raise ConfigError(f"{where}: {unknown('model_type', str(family), FAMILIES)}; nothing else is planned yet")

    def find(*names: str, default: Any = None) -> Any:
        value = next((config[name] for name in names if config.get(name) is not None), default)
        if value is None:
            raise ConfigError(f"{where}: the configuration has no {names[0]!r}; a plan needs it")
        return value

    hidden, heads = int(find("hidden_size", "n_embd")), int(find("num_attention_heads", "n_head"))
    whole = {"gpt2": True, "bert": True}.get(str(family), False)
    return Shape(
        family=str(family),
        layers=int(find("num_hidden_layers", "n_layer")),
        hidden=hidden,
        heads=heads,
        kv_heads=int(find("num_key_value_heads", default=heads)),
        head_dim=int(find("head_dim", default=hidden // heads)),
        intermediate=int(find("intermediate_size", "n_inner", default=4 * hidden if family == "gpt2" else None)),
        vocabulary=int(find("vocab_size")),
        positions=int(find("max_position_embeddings", "n_positions")),
        tied=bool(find("tie_word_embeddings", default=whole)),
        qkv_bias=bool(find("attention_bias", default=family == "qwen2")) or family == "qwen2",
        dropout=_some(config, ("hidden_dropout", "hidden_dropout_prob", "resid_pdrop"), 0.1 if whole else 0.0),
        attention_dropout=_some(
            config, ("attention_dropout", "attention_probs_dropout_prob", "attn_pdrop"), 0.1 if whole else 0.0
        ),
    )


def _some(config: Mapping[str, Any], names: tuple[str, ...], default: float) -> bool:
    return float(next((config[name] for name in names if config.get(name) is not None), default)) > 0


def read_shape(path: Path) -> Shape:
    """The shape of a model's folder, or of its `config.json`.

    Raises:
        ConfigError: no such file, or no configuration that is understood.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as a model's configuration: {error}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{file} is no model's configuration: it holds no mapping")
    return shape_of(config, str(file))
