"""A server as a supervisor: every question is asked, every answer is kept as it arrives."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pyarrow as pa

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.journal import Records
from outgrow.supervisors.queries import Decoding, Query, answers_table, check_samples
from outgrow.supervisors.server.client import Client, StoppedError
from outgrow.supervisors.server.config import ServerConfig
from outgrow.supervisors.server.ledger import Key, Ledger, Spent
from outgrow.supervisors.server.limits import Budget, BudgetError
from outgrow.supervisors.server.plan import Plan
from outgrow.supervisors.server.secret import Secret
from outgrow.tasks.base import Task

Progress = Callable[[int, int], None]
_GRACE = 5.0  # seconds that requests under way have to finish after an error; their answers are kept


def answer(
    config: ServerConfig,
    task: Task,
    queries: Sequence[Query],
    *,
    source: str,
    samples: int = 1,
    temperature: float = 0.0,
    seed: int,
    decoding: Decoding = "auto",
    journal: Records | None = None,
    progress: Progress | None = None,
) -> pa.Table:
    """Ask a server every question, several times.

    Args:
        config: the server.
        task: reads generated answers, and says how long they may be.
        queries: the questions in their wordings (`queries.pose`).
        source: what the answers call this supervisor.
        samples: answers per wording.
        temperature: 0 takes the most probable answer. Variant 0, sample 0 is always the most probable answer.
        seed: of drawn answers, with question, wording and sample; sent with each, for servers that keep to it.
        decoding: `generate` lets the server write and the task read; `options` scores the options of every wording
            (see `bodies.option_request`); `auto` generates, also where a wording has options: what the model then
            says has to be one of them.
        journal: keeps every answer as it arrives. A run that was killed asks again at most for the answers that were
            under way, `config.concurrency` at most.
        progress: called with (answers there, all answers).

    Returns:
        Answers (`records.ANSWERS`) in the order of queries, then samples, whatever the order of arrival. An answer that
        the server refuses for good has no value and a `finish_reason` that tells: `context_length`, `refused`, `empty`,
        `too_long`, `no_option` (none of the options is among the alternatives listed). The table's metadata
        names the `decoding`, counts `boundary_mismatches` of scored options, and has `usage` as JSON
        (`ledger.Ledger.usage`).

    Raises:
        ConfigError: settings contradict each other or the task, the server refuses key, model or request, or a budget
            is used up.
        PrerequisiteError: the extra is not installed, or the server cannot be reached or keeps failing.
    """
    kind = _decoding(decoding, queries)
    check_samples(samples, temperature)
    begun = time.monotonic()
    plan = Plan(config, task, queries, kind, samples, temperature, seed)
    ledger = Ledger(journal, {key: plan.digest(key) for key in plan.keys})
    _complete(_ask_all(config, plan, ledger, progress))
    found = [
        [plan.answer(query, sample, ledger.found[plan.key(query, sample)]) for sample in range(samples)]
        for query in queries
    ]
    metadata = {
        "decoding": kind,
        "boundary_mismatches": str(sum(one.get("mismatches", 0) for one in ledger.found.values())),
        "usage": json.dumps(ledger.usage(config, round(time.monotonic() - begun, 3)), sort_keys=True),
    }
    return answers_table(queries, found, source=source, metadata=metadata)


def _decoding(decoding: Decoding, queries: Sequence[Query]) -> str:
    if decoding == "classify":
        raise ConfigError(
            "decoding 'classify' needs a local model with head 'classifier'; a server generates or scores"
        )
    if decoding == "options" and any(not query.wording.options for query in queries):
        raise ConfigError("decoding 'options' needs options in every wording; this task has wordings without")
    return "options" if decoding == "options" else "generate"


async def _ask_all(config: ServerConfig, plan: Plan, ledger: Ledger, progress: Progress | None) -> None:
    """Ask for every answer that the ledger has not, `config.concurrency` at a time."""
    pending = [key for key in plan.keys if key not in ledger.found]
    if progress is not None and ledger.found:
        progress(len(ledger.found), len(plan.keys))
    if not pending:
        return
    secret = Secret.from_environment(config.api_key_env)
    budget = Budget(config.max_requests, config.max_tokens)
    budget.spent(ledger.requests, sum(ledger.tokens))
    stop = asyncio.Event()
    client = Client(config, secret, budget, stop)
    errors: list[Exception] = []
    unfinished: list[Spent] = []

    async def work(keys: Iterator[Key]) -> None:
        for key in keys:
            spent = Spent()
            unfinished.append(spent)
            try:
                request = plan.request(key)
                found = await client.ask(request, plan.read(key, request, secret), spent)
                ledger.keep(key, found, spent)
                unfinished.remove(spent)
                if progress is not None:
                    progress(len(ledger.found), len(plan.keys))
            except StoppedError:
                return
            except Exception as error:
                errors.append(error)
                stop.set()
                raise

    queue = iter(pending)
    workers = [asyncio.create_task(work(queue)) for _ in range(min(config.concurrency, len(pending)))]
    try:
        await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        if errors:  # what is under way is paid for: let it arrive, up to a point
            await asyncio.wait(workers, timeout=config.timeout if isinstance(errors[0], BudgetError) else _GRACE)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await client.close()
    if errors:
        _end(errors[0], ledger, unfinished, len(plan.keys), secret)


def _end(error: Exception, ledger: Ledger, unfinished: list[Spent], total: int, secret: Secret) -> NoReturn:
    """Raise the first error, with what is kept; outside any handler, so that nothing hangs on to a request."""
    if not isinstance(error, ConfigError | PrerequisiteError):
        raise error
    ledger.keep_spent(unfinished)
    raise type(error)(secret.scrub(f"{error}; {ledger.kept(total)}"))


def _complete(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, also where a loop is running already, as in a notebook."""
    running = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        running = False
    if not running:  # not in the handler: its exception would become the context of every error
        asyncio.run(coroutine)
        return
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()
