"""Activation functions in one pass over memory instead of six, the same functions."""

from __future__ import annotations

from torch import nn


def fuse_activations(model: nn.Module) -> None:
    """Replace the tanh form of GELU (arXiv 1606.08415, section 2), where it is written out, by torch's own kernel.

    GPT-2 and its kin write it out; forward and backward then read and write the widest tensor of a layer a dozen times.
    Nothing but the last bits of the numbers changes, and the saved model is the same.
    """
    from transformers.activations import FastGELUActivation, NewGELUActivation

    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) in (NewGELUActivation, FastGELUActivation):
                setattr(parent, name, nn.GELU(approximate="tanh"))
