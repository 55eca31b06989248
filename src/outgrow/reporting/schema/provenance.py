"""provenance.json in typed form."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from outgrow.reporting.schema.base import Number, View


class StepTime(View):
    """One step of the store: how long it took, or that it was already there."""

    name: str
    key: str = ""
    seconds: Number = math.nan
    cached: bool = False
    detail: str = ""
    environment: str | None = None


class JobTime(View):
    """Seconds of one job: on its worker, in the steps it made, and those that steps took which it found made.

    `arm` is None for the supervisors of a seed, `seed` for the student before training.
    """

    job: str
    arm: str | None = None
    seed: int | None = None
    seconds: Number = math.nan
    made: Number = math.nan
    reused: Number = math.nan


class ModelUsed(View):
    """A model by name and content hash."""

    name: str
    model: str
    hash: str | None = None
    parameters: int | None = None


class Trained(View):
    """An arm or a supervisor of one seed, and the store's key of its training."""

    name: str
    seed: int
    key: str


class Usage(View):
    """What a server charged for answers: tokens, requests, money where prices are given, seconds per request."""

    about: str
    answers: int = 0
    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Number = math.nan
    latency_p50: Number = math.nan
    latency_p95: Number = math.nan


class Provenance(View):
    """Where, when and with what the run was made."""

    recipe_given: dict[str, Any] = Field(default_factory=dict)
    recipe_path: str | None = None
    command: tuple[str, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)
    python: str | None = None
    platform: str | None = None
    hardware: dict[str, Any] = Field(default_factory=dict)
    git: str | None = None
    started: str | None = None
    seconds: Number = math.nan
    steps: tuple[StepTime, ...] = ()
    times: tuple[JobTime, ...] = ()
    models: tuple[ModelUsed, ...] = ()
    usage: tuple[Usage, ...] = ()
    trained: tuple[Trained, ...] = ()
