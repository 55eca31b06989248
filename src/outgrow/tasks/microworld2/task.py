"""The second microworld as a task."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

from outgrow.tasks.microworld.families import Family
from outgrow.tasks.microworld.task import MicroworldTask
from outgrow.tasks.microworld2.config import Microworld2Config
from outgrow.tasks.microworld2.families import FAMILIES
from outgrow.tasks.microworld2.world import World, WorldConfig


class Microworld2Task(MicroworldTask):
    """Questions about the entities of a second world, split by entity."""

    configuration: ClassVar[type[Microworld2Config]] = Microworld2Config
    families: ClassVar[Mapping[str, type[Family]]] = FAMILIES
    version: ClassVar[int] = 4

    @staticmethod
    @lru_cache(maxsize=4)
    def make_world(seed: int) -> World:
        """The world of a seed, made once per process: its facts take a while."""
        return World(WorldConfig(seed=seed))
