"""The store: results of steps, kept under keys made of everything that decides them."""

from outgrow.store.artefact import Artefact, StoreWarning
from outgrow.store.environment import environment, environment_id
from outgrow.store.journal import DamagedWorkError, Journal
from outgrow.store.keys import Step, canonical_json
from outgrow.store.lease import LeaseLostError
from outgrow.store.store import StepBusyError, StepMissingError, StepUse, Store
from outgrow.store.work import Work

__all__ = [
    "Artefact",
    "DamagedWorkError",
    "Journal",
    "LeaseLostError",
    "Step",
    "StepBusyError",
    "StepMissingError",
    "StepUse",
    "Store",
    "StoreWarning",
    "Work",
    "canonical_json",
    "environment",
    "environment_id",
]
