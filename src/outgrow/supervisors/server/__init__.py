"""Supervisors behind an OpenAI-compatible API. Reading their settings needs neither a network nor the extra."""

from outgrow.supervisors.server.answering import answer
from outgrow.supervisors.server.config import ServerConfig

__all__ = ["ServerConfig", "answer"]
