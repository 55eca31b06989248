"""Weights, gradients and optimiser state cut into one part per rank: FSDP2 (arXiv 2304.11277), by `torch`.

The launch decides (`accelerate launch --use_fsdp --fsdp_version 2`, or the environment variables it sets). On a CPU,
where accelerate knows no sharding, the same variables count.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.models.loaded import Loaded
from outgrow.training.config import TrainConfig


def sharded() -> bool:
    """Whether this launch shards its models."""
    from accelerate.utils import parse_flag_from_env

    return bool(parse_flag_from_env("ACCELERATE_USE_FSDP"))


def shard(loaded: Loaded, config: TrainConfig, *, bf16: bool) -> None:
    """Cut the head's weights into parts, block by block, those that are trained in float32.

    Args:
        loaded: changed in place.
        config: settings of the training.
        bf16: blocks compute in bfloat16. Their matrices are then put together in it, and dropped after use, where
            `autocast` alone would keep a copy of each until the backward pass. Norms, embeddings and head stay in
            float32, as under `autocast`.

    Raises:
        ConfigError: settings that do not go with it.
        PrerequisiteError: the launch asks for FSDP's first version.
    """
    from accelerate.utils import FullyShardedDataParallelPlugin
    from torch.distributed import get_world_size
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    plugin = FullyShardedDataParallelPlugin()
    if plugin.fsdp_version != 2:
        raise PrerequisiteError(
            f"FSDP version {plugin.fsdp_version} is not supported; launch with --fsdp_version 2 (FSDP_VERSION=2)"
        )
    if loaded.ref.quantise is not None or config.optimiser == "adamw_8bit" or config.compile:
        raise ConfigError(
            "a sharded training takes neither quantise nor optimiser: adamw_8bit nor compile: true; leave them out, "
            "or launch without FSDP"
        )
    mesh = init_device_mesh(loaded.device.type, (get_world_size(),))
    options: dict[str, Any] = {"mesh": mesh, "reshard_after_forward": bool(plugin.reshard_after_forward)}
    if plugin.cpu_offload:
        options["offload_policy"] = plugin.cpu_offload
    narrow: dict[str, Any] = {}
    if bf16:
        narrow["mp_policy"] = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
    blocks = set(getattr(loaded.model, "_no_split_modules", None) or ())
    for module in list(loaded.head.modules()):
        if type(module).__name__ in blocks:
            float32(module)
            if bf16 and (norms := _norms(module)):
                fully_shard(norms, **options)
            fully_shard(module, **options, **narrow)
    float32(loaded.head)
    fully_shard(loaded.head, **options)


def _norms(block: nn.Module) -> list[nn.Module]:
    """Modules whose own weights are vectors alone."""
    own = ((module, list(module.parameters(recurse=False))) for module in block.modules())
    return [module for module, weights in own if weights and all(weight.ndim == 1 for weight in weights)]


def float32(module: nn.Module) -> None:
    """Hold what is trained in float32."""
    for parameter in module.parameters():
        if parameter.requires_grad and not _is_part(parameter):
            parameter.data = parameter.data.float()


def whole(tensor: Tensor) -> Tensor:
    """The tensor of which this rank has a part; all ranks call this together."""
    found: Tensor = tensor.detach().full_tensor() if _is_part(tensor) else tensor.detach()  # type: ignore[attr-defined]
    return found


def part(tensor: Tensor, like: Tensor) -> Tensor:
    """This rank's part of a tensor, cut as `like` is; the tensor itself where `like` is whole or has another shape."""
    if not _is_part(like) or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    cut: Any = like
    return distribute_tensor(tensor, cut.device_mesh, cut.placements, src_data_rank=None)


def _is_part(tensor: Tensor) -> bool:
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


class Plain:
    """The head and adapter of a model as they were before sharding, without their weights.

    Args:
        loaded: a model that is going to be sharded in place.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.names = {id(p): name for name, p in loaded.head.named_parameters()}
        memo: dict[int, Any] = {}
        for parameter in loaded.head.parameters():
            empty = torch.empty_like(parameter, device="meta")
            memo[id(parameter)] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
        self.names = {id(memo[key]): name for key, name in self.names.items()}
        self.head, self.adapter = copy.deepcopy((loaded.head, loaded.adapter), memo)

    def fill(self, loaded: Loaded, types: dict[str, torch.dtype]) -> None:
        """Give `loaded` back a whole model with the weights of its sharded one, in the given types.

        Args:
            loaded: a sharded model; changed in place.
            types: by name of the parameter; others keep theirs.
        """
        full = {}
        for name, parameter in loaded.head.named_parameters():
            tensor = whole(parameter).to(loaded.device, types.get(name))
            full[name] = nn.Parameter(tensor, requires_grad=parameter.requires_grad)
        for module in self.head.modules():
            for key, empty in list(module._parameters.items()):
                if empty is not None:
                    module._parameters[key] = full[self.names[id(empty)]]
        loaded.head, loaded.adapter = self.head, self.adapter
