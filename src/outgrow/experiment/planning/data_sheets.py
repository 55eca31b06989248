"""Machines that are not here, from their vendor's data sheets."""

from __future__ import annotations

from typing import NamedTuple

from outgrow.core.errors import ConfigError
from outgrow.core.names import unknown
from outgrow.experiment.planning.machine import Machine


class Sheet(NamedTuple):
    """Peak rates without sparsity in TFLOP/s (`half`: bfloat16; V100's is float16's), memory in GB and GB/s.

    Of NVIDIA's data sheets.
    """

    name: str
    half: float
    single: float
    memory: float
    bandwidth: float


SHEETS = {
    "a100-40gb": Sheet("A100 40GB SXM", 312, 19.5, 40, 1555),
    "a100-80gb": Sheet("A100 80GB SXM", 312, 19.5, 80, 2039),
    "h100": Sheet("H100 SXM", 989, 67, 80, 3350),
    "h100-pcie": Sheet("H100 PCIe", 756, 51, 80, 2000),
    "h200": Sheet("H200 SXM", 989, 67, 141, 4800),
    "b200": Sheet("B200", 2250, 75, 180, 7700),
    "l4": Sheet("L4", 121, 30.3, 24, 300),
    "l40s": Sheet("L40S", 362, 91.6, 48, 864),
    "rtx-4090": Sheet("RTX 4090", 165, 82.6, 24, 1008),
    "v100": Sheet("V100 32GB SXM", 125, 15.7, 32, 900),
}


def known_machine(name: str, fraction: int | float) -> Machine:
    """A device of the table.

    Args:
        name: of the device.
        fraction: of its peak that is achieved (MFU), above 0, at most 1.

    Raises:
        ConfigError: it is not in the table.
    """
    if (sheet := SHEETS.get(name.casefold())) is None:
        raise ConfigError(f"--device {name!r}: {unknown('device', name, SHEETS)}")
    return Machine(
        sheet.name, "cuda",
        {"bfloat16": sheet.half * 1e12, "float16": sheet.half * 1e12, "float32": sheet.single * 1e12},
        sheet.bandwidth * 1e9, sheet.memory * 1e9, fraction, start=15.0, job=0.5, step=5.0, base=1.5 * 2**30,
    )  # fmt: skip
