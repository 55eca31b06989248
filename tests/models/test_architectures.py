"""Every causal language model that transformers can build, tiny: our numbers are its own, or it is refused."""

from itertools import product

import pytest
import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM

from outgrow.core.errors import OutgrowError
from outgrow.models import ModelRef, generate, load, loading, score_options
from outgrow.models.quiet import quiet

SIZES = {  # by the names that configurations have for them
    32: "hidden_size n_embd d_model decoder_ffn_dim encoder_ffn_dim moe_intermediate_size q_lora_rank embedding_size "
    "shared_expert_intermediate_size moe_shared_expert_intermediate_size emb_dim dim_model lru_width "
    "attention_hidden_size",
    64: "intermediate_size n_inner ffn_dim ffn_hidden_size dim_ff mlp_hidden_size dff inner_dim d_inner d_ff "
    "prefix_intermediate_size expert_ffn_hidden_size intermediate_size_mlp",
    2: "num_hidden_layers n_layer n_layers num_layers encoder_layers decoder_layers num_encoder_layers "
    "num_decoder_layers linear_num_key_heads num_experts_per_tok num_key_value_heads moe_topk moe_k top_k_experts "
    "n_shared_experts num_selected_experts kv_n_heads num_kv_heads num_key_value_heads_cross n_groups topk_group "
    "n_group mamba_n_groups",
    4: "num_attention_heads n_head n_heads encoder_attention_heads decoder_attention_heads num_encoder_attention_heads "
    "num_decoder_attention_heads linear_num_value_heads linear_num_heads num_experts num_local_experts "
    "n_routed_experts moe_num_experts",
    8: "head_dim sliding_window window_size attention_window local_attention attention_chunk_size qk_rope_head_dim "
    "qk_nope_head_dim v_head_dim index_topk index_head_dim attention_window_size sliding_window_size kv_channels "
    "hidden_size_per_layer_input global_head_dim chunk_size mamba_chunk_size rotary_dim linear_head_dim "
    "linear_key_head_dim linear_value_head_dim",
    16: "index_n_heads kv_lora_rank mamba_d_state state_size mamba_d_head mamba_head_dim ssm_state_size",
    128: "max_position_embeddings n_positions max_target_positions max_source_positions context_length max_seq_len "
    "max_sequence_length",
    94: "vocab_size vocab_size_per_layer_input",
}  # fmt: skip
SMALL = {name: size for size, names in SIZES.items() for name in names.split()}
SMALL |= {"is_decoder": True, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.2}
FURTHER = {
    "GPTNeoConfig": {"num_layers": 4, "attention_types": [[["global", "local"], 2]]},
    "BambaConfig": {"mamba_n_heads": 4, "mamba_d_head": 16, "attn_layer_indices": [1, 3]},
    "GraniteMoeHybridConfig": {"mamba_n_heads": 4, "mamba_d_head": 16},
    "FalconH1Config": {"mamba_n_heads": 4, "mamba_d_head": 16, "mamba_d_ssm": 64},
    "Mamba2Config": {"num_heads": 8, "head_dim": 8, "n_groups": 2},
    "ReformerConfig": {"axial_pos_embds_dim": (16, 16), "axial_pos_shape": (8, 16), "num_hidden_layers": 6},
    "XLMConfig": {"causal": True},
    "XmodConfig": {"default_language": "en_XX"},
    "ZayaConfig": {"num_experts_per_tok": 1},
    "Lfm2MoeConfig": {"layer_types": ["conv", "full_attention"] * 2, "num_hidden_layers": 4},
    "xLSTMConfig": {"v_head_dim": None, "qk_head_dim": None},
    "XLNetConfig": {"max_position_embeddings": None},
    "ProphetNetConfig": {"num_hidden_layers": None},
    "Gemma3nTextConfig": {"num_kv_shared_layers": 0, "num_hidden_layers": 5, "laurel_rank": 8},
    "DeepseekV4Config": {"index_topk": 4, "num_hidden_layers": 4},
}
"""What some need besides; None: as it comes."""
CHANGES = ({}, {"num_key_value_heads": 4}, {"head_dim": None})
"""What many need, each tried in turn."""

PROMPTS = [
    "question : " + " ".join(f"w{i}" for i in range(30)) + " is ?",
    "question : " + " ".join(f"w{i}" for i in range(26)) + " answer : w1 w2",
    "w5 ?",
    "w6 w7 w8 w9",
]
OPTIONS = [("yes", "no w1", "red w2 w3"), ("yes", "no w1"), ("yes", "blue"), ("w1 w2 w3 w4", "w1")]
LENGTH = 6


def shrunk(kind, layers, changes):
    """A tiny configuration of this kind."""
    default = kind()
    known = {key: value for key, value in (SMALL | changes).items() if has(default, key)}
    known |= {key: layers for key in known if key in ("num_hidden_layers", "n_layer", "n_layers", "num_layers")}
    for part in kind.sub_configs:
        if (inner := getattr(default, part, None)) is not None:
            known[part] = shrunk(type(inner), layers, changes)
    known |= FURTHER.get(kind.__name__, {})
    return kind(**{key: value for key, value in known.items() if value is not None})


def has(config, key):
    """Whether the configuration has this size, in each layer or for all."""
    try:
        return hasattr(config, key)
    except Exception:
        return True


def built(kind, name):
    """A model of this kind that computes something, or why there is none."""
    why = None
    for layers, changes in product((4, 3, 2, 6), CHANGES):
        try:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                config = shrunk(kind, layers, changes)
                with torch.device("meta"):
                    size = sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())
                if size > 2e7:
                    raise ValueError(f"it stays large: {size} parameters")
                model = AutoModelForCausalLM.from_config(shrunk(kind, layers, changes)).float().eval()
                for part in model.modules():
                    if isinstance(part, (torch.nn.Linear, torch.nn.Embedding)):
                        part.weight.data.normal_(0, 0.2)
                alone(model, [5, 6, 7, 8] * 10)
            return model, None
        except Exception as error:
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return None, why


@torch.no_grad()
def alone(model, ids):
    """Log-probabilities at every position of one sequence."""
    return torch.log_softmax(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double(), dim=1)


def greedy(model, ids):
    """The most probable tokens after a prompt, each by a pass over everything before it."""
    found = []
    while len(found) < LENGTH and 2 not in found:
        found.append(int(alone(model, ids + found)[-1].argmax()))
    return found


def differences(folder, model):
    """Where our scores and texts differ from those of the model alone."""
    loaded = load(ModelRef(model=str(folder)))
    coder, found = loaded.coder, []
    prompts = coder.prompts(PROMPTS)
    for prompt, options, score in zip(prompts, OPTIONS, score_options(loaded, PROMPTS, OPTIONS), strict=True):
        for option, logprob in zip(options, score.logprobs, strict=True):
            target = coder.targets(["w"], [option])[0]
            logs = alone(model, prompt + target)
            expected = sum(float(logs[len(prompt) - 1 + i, token]) for i, token in enumerate(target))
            if abs(expected - logprob) > 1e-3:
                found.append(f"score {logprob:.4f}, alone {expected:.4f}")
    for prompt, text in zip(prompts, generate(loaded, PROMPTS, max_new_tokens=LENGTH), strict=True):
        expected = coder.decode([token for token in greedy(model, prompt) if token != 2])
        if text.text != expected:
            found.append(f"text {text.text!r}, alone {expected!r}")
    return loaded.head.abilities, found


@pytest.fixture(scope="module")
def listing():
    """Prints what became of each architecture."""
    lines = []
    yield lines
    print("", *lines, sep="\n")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", dict.fromkeys(MODEL_FOR_CAUSAL_LM_MAPPING), ids=lambda kind: kind.__name__)
def test_scores_and_texts_are_those_of_transformers_alone(kind, tiny_lm, tmp_path, listing, monkeypatch):
    name = kind.__name__
    with quiet():
        model, why = built(kind, name)
    if model is None:
        listing.append(f"{name}: cannot be built: {why}")
        pytest.skip(why)
    tokenizer = load(ModelRef(model=str(tiny_lm))).tokenizer
    monkeypatch.setattr(loading, "make_tokenizer", lambda ref: tokenizer)  # some kinds would get one of their own
    try:
        with quiet():
            model.save_pretrained(tmp_path)
            plain = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    except Exception as error:
        listing.append(f"{name}: transformers cannot load what it saved: {str(error)[:160]}")
        pytest.skip("transformers cannot load what it saved")
    try:
        abilities, found = differences(tmp_path, plain)
    except OutgrowError as error:
        listing.append(f"{name}: refused: {str(error).replace(str(tmp_path), 'FOLDER')[:300]}")
        return
    listing.append(f"{name}: {found[:3] or 'agrees'} ({abilities})")
    assert not found
