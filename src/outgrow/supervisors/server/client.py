"""One question at a time to a server that may fail: limits, retries with backoff, several endpoints."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from outgrow.core.errors import ConfigError, OutgrowError, PrerequisiteError
from outgrow.supervisors.server.bodies import Request, estimate
from outgrow.supervisors.server.config import ServerConfig
from outgrow.supervisors.server.endpoints import Endpoint, Pool
from outgrow.supervisors.server.failures import NoLogprobsError, RefusedError, TransientError
from outgrow.supervisors.server.ledger import Spent
from outgrow.supervisors.server.limits import Bucket, Budget
from outgrow.supervisors.server.replies import (
    Usage,
    check_model,
    choices_of,
    no_logprobs,
    text_of,
    usage_of,
)
from outgrow.supervisors.server.secret import Secret
from outgrow.supervisors.server.transport import Transport, missing

if TYPE_CHECKING:
    from tenacity import RetryCallState

Read = Callable[[list[dict[str, Any]], Usage], dict[str, Any]]
_UNREACHED = 2  # retries while no endpoint has ever answered: a wrong address should not take minutes to tell


class StoppedError(Exception):
    """The run is being stopped; this request is not sent any more."""


class Client:
    """Asks, and asks again where that may help.

    Args:
        config: the server.
        secret: its key.
        budget: what may be spent.
        stop: set when no further request is to be sent.
    """

    def __init__(self, config: ServerConfig, secret: Secret, budget: Budget, stop: asyncio.Event) -> None:
        try:
            import tenacity
        except ImportError:
            raise missing("tenacity") from None
        self._tenacity = tenacity
        self._transport = Transport(config, secret)
        self._config, self._secret, self._budget, self._stop = config, secret, budget, stop
        self._pool = Pool(config.endpoints)
        self._requests = Bucket(config.requests_per_minute)
        self._tokens = Bucket(config.tokens_per_minute)
        growing = tenacity.wait_exponential(multiplier=config.backoff, max=config.max_wait)
        self._backoff = growing + tenacity.wait_random(0, config.backoff)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def ask(self, request: Request, read: Read, spent: Spent) -> dict[str, Any]:
        """The answer to a request, asked as often as it takes and the settings allow.

        Args:
            request: what is asked.
            read: makes the answer of choices and token counts.
            spent: gets what every try has cost, also when an error is raised.

        Raises:
            OutgrowError: going on is of no use, for this question and for others.
            StoppedError: the run is being stopped.
        """
        avoid: list[Endpoint] = []
        retrying = self._tenacity.AsyncRetrying(
            retry=self._tenacity.retry_if_exception_type(TransientError),
            stop=self._enough,
            wait=self._wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return await retrying(self._try, request, read, spent, avoid)
        except RefusedError as refused:
            return {"text": None, "finish_reason": refused.finish_reason}
        except TransientError as failure:
            given_up = failure
        if given_up.outcome is not None:
            return {"text": None, "finish_reason": given_up.outcome}
        raise self._giving_up(given_up, sum(spent.tries.values()))

    async def _try(self, request: Request, read: Read, spent: Spent, avoid: list[Endpoint]) -> dict[str, Any]:
        """Send once (twice where the first reply only says that there are no log-probabilities)."""
        await self._sleep(self._pool.delay())
        endpoint = self._pool.choose(avoid)
        avoid[:] = [endpoint] if endpoint in avoid else [*avoid, endpoint]  # all have been tried: once more around
        try:
            for _ in range(2):
                wish = endpoint.logprobs or request.needs_logprobs
                try:
                    found = await self._once(endpoint, request, wish, read, spent)
                    self._pool.succeeded(endpoint)
                    return found
                except NoLogprobsError as refusal:
                    reason = refusal.reason
                if request.needs_logprobs:
                    raise no_logprobs(request.api, reason)
                if not wish:
                    break
                endpoint.logprobs = False
            raise ConfigError(f"{reason}; the server does not accept the request: check 'model', 'api', 'extra'")
        except TransientError as failure:
            if failure.fault:
                self._pool.failed(endpoint)
            if failure.wait:
                self._pool.pause(endpoint, min(failure.wait, self._config.max_wait))
            raise
        except RefusedError:
            self._pool.succeeded(endpoint)
            raise

    async def _once(
        self, endpoint: Endpoint, request: Request, logprobs: bool, read: Read, spent: Spent
    ) -> dict[str, Any]:
        await self._sleep(max(self._requests.take(1), self._tokens.take(request.tokens)))
        self._budget.reserve(request.tokens)
        used, begun = 0, time.monotonic()
        spent.tries[endpoint.url] += 1
        endpoint.under_way += 1
        try:
            reply = await self._transport.send(endpoint.url, request, logprobs)
            usage = usage_of(reply)
            prompt, completion = self._count(reply, usage, request)
            used = prompt + completion
            spent.prompt, spent.completion = spent.prompt + prompt, spent.completion + completion
            spent.estimated += None in usage
            check_model(reply, self._config, self._secret)
            found = read(choices_of(reply, request), usage)
            spent.seconds = round(time.monotonic() - begun, 4)
            return found
        finally:
            endpoint.under_way -= 1
            self._budget.settle(request.tokens, used)
            self._tokens.give_back(request.tokens - used)

    def _count(self, reply: dict[str, Any], usage: Usage, request: Request) -> tuple[int, int]:
        """Tokens of prompt and answer, estimated where the reply does not say."""
        completion = usage.completion
        if completion is None:
            choices = reply.get("choices")
            texts = []
            for choice in choices if isinstance(choices, list) else ():
                try:
                    texts.append(text_of(choice, request.api) or "")
                except (TransientError, AttributeError):
                    continue
            completion = min(request.new_tokens, sum(map(estimate, texts)))
        return request.prompt_tokens if usage.prompt is None else usage.prompt, completion

    def _enough(self, state: RetryCallState) -> bool:
        failure = state.outcome.exception() if state.outcome else None
        retries = self._config.retries
        if isinstance(failure, TransientError) and not failure.reachable and not self._pool.answered:
            retries = min(retries, _UNREACHED * len(self._pool.endpoints))
        return state.attempt_number > retries

    def _wait(self, state: RetryCallState) -> float:
        return min(self._config.max_wait, self._backoff(state))

    async def _sleep(self, seconds: int | float) -> None:
        """Wait, unless the run is stopped meanwhile."""
        if seconds > 0 and not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), seconds)
            except TimeoutError:
                return
        if self._stop.is_set():
            raise StoppedError

    def _giving_up(self, failure: TransientError, tries: int) -> OutgrowError:
        after = f"given up after {tries} {'try' if tries == 1 else 'tries'}"
        if not failure.reachable:
            return PrerequisiteError(f"{failure.reason}; {after}: is the server running, and 'base_url' right?")
        if failure.user:
            return ConfigError(f"{failure.reason}; {after}")
        return PrerequisiteError(f"{failure.reason}; {after}; try later, or raise 'retries' or 'timeout'")
