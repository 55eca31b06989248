"""The parts a client is made of: limits, endpoints, failures, scores, models' names."""

import math

import pytest

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.supervisors.server.bodies import Request
from outgrow.supervisors.server.config import ServerConfig
from outgrow.supervisors.server.endpoints import Pool
from outgrow.supervisors.server.failures import NoLogprobsError, RefusedError, TransientError, of_status, retry_after
from outgrow.supervisors.server.limits import Bucket, Budget, BudgetError
from outgrow.supervisors.server.replies import Usage, answer_of, check_model, count, number, text_of
from outgrow.supervisors.server.scoring import OptionScore, echoed, first_token
from outgrow.supervisors.server.secret import Secret
from outgrow.supervisors.server.transport import Transport

NONE = Secret("", "K")


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_a_bucket_lets_through_its_rate():
    """120 a minute is 2 a second: 2 at once, then one each half second."""
    clock = Clock()
    bucket = Bucket(120, clock)
    assert [bucket.take(1) for _ in range(5)] == [0.0, 0.0, 0.5, 1.0, 1.5]
    clock.now += 10  # 3 owed and 2 to hold need 2.5 s; what flows in later is lost
    assert [bucket.take(1) for _ in range(3)] == [0.0, 0.0, 0.5]


def test_a_bucket_counts_tokens_and_takes_corrections():
    """60 a minute: after 31 tokens the next request waits until they have flowed in."""
    clock = Clock()
    bucket = Bucket(60, clock)
    assert bucket.take(31) == 0.0
    assert bucket.take(5) == 31.0  # level -30, and one unit is needed
    bucket.give_back(25)  # the first took only 6: level -10
    assert bucket.take(1) == 11.0
    assert Bucket(None).take(1e9) == 0.0


def test_a_budget_reserves_before_it_spends():
    budget = Budget(None, 100)
    budget.reserve(40)
    budget.reserve(40)
    with pytest.raises(
        BudgetError, match=r"max_tokens: 100 is used up: 0 tokens are spent, and the next .* may need 40"
    ):
        budget.reserve(40)
    budget.settle(40, 10)  # 10 spent, 40 reserved
    budget.reserve(40)
    budget.settle(40, 30)
    budget.settle(40, 30)
    assert (budget.tokens, budget.requests) == (70, 3)
    requests = Budget(3, None)
    requests.spent(2, 1000)
    requests.reserve(1)
    with pytest.raises(BudgetError, match="max_requests: 3 is used up"):
        requests.reserve(1)


def test_a_failing_endpoint_is_rested_while_others_go_on():
    clock = Clock()
    pool = Pool(["http://a", "http://b"], clock)
    a, b = pool.endpoints
    a.under_way = 1
    assert pool.choose() is b  # fewer under way
    assert pool.choose(avoid=[b]) is a
    for _ in range(3):
        pool.failed(b)
    assert (pool.choose(), pool.choose(avoid=[a])) == (a, a)
    clock.now += 1.0  # the first rest is over
    assert pool.choose() is b
    pool.failed(b)  # still failing: twice as long
    clock.now += 1.5
    assert pool.choose() is a
    clock.now += 0.5
    assert pool.choose() is b
    pool.succeeded(b)
    pool.failed(b)
    assert pool.choose() is b
    assert pool.delay() == 0.0


def test_a_single_endpoint_rests_only_when_it_asks_to():
    clock = Clock()
    pool = Pool(["http://a"], clock)
    for _ in range(10):
        pool.failed(pool.endpoints[0])
    assert pool.delay() == 0.0
    pool.pause(pool.endpoints[0], 7)
    assert pool.delay() == 7.0
    assert pool.choose() is pool.endpoints[0]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"retry-after": "Sat, 21 Nov 2026 08:00:10 GMT"}, 10.0),
        ({"retry-after": "Sat, 21 Nov 2026 07:00:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "inf"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "Fri, 31 Dec 99999 23:59:59 GMT"}, 0.0),
        ({"retry-after": f"Fri, {10**30} Dec 2026 23:59:59 GMT"}, 0.0),
        ({"retry-after": "9" * 400}, 0.0),
        ({}, 0.0),
    ],
)
def test_retry_after_as_seconds_and_as_a_date(headers, seconds):
    now = 1795248000.0  # 2026-11-21 08:00:00 UTC
    assert retry_after(headers, now) == seconds


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_statuses_that_may_pass(status):
    failure = of_status(status, {"retry-after": "2"}, b"busy", url="http://a", secret=NONE)
    assert isinstance(failure, TransientError)
    assert (failure.wait, failure.fault) == (2.0, status != 429)
    assert failure.reason == f"http://a answered {status}: busy"


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (401, b'{"error": {"message": "Incorrect API key"}}', ConfigError, "Incorrect API key.*no key was sent, K"),
        (403, b"", ConfigError, "answered 403 .*no key was sent"),
        (402, b"", PrerequisiteError, "cannot pay"),
        (429, b'{"error": {"message": "x", "code": "insufficient_quota"}}', PrerequisiteError, "cannot pay"),
        (404, b'{"error": {"message": "The model `w` does not exist"}}', ConfigError, "'model' must be a name"),
        (400, b'{"detail": "Server is pinned to \'/m\'; requested \'w\'."}', ConfigError, "'model' must be a name"),
        (404, b"Not Found", ConfigError, "check 'base_url'"),
        (405, b"", ConfigError, "check 'base_url'"),
        (302, b"", ConfigError, "not followed"),
        (400, b'{"error": {"message": "temperature must be 1"}}', ConfigError, "temperature must be 1.*check 'model'"),
        (422, b'{"detail": "Unexpected fields"}', ConfigError, "Unexpected fields"),
    ],
)  # fmt: skip
def test_statuses_that_will_not_pass(status, body, kind, message):
    failure = of_status(status, {}, body, url="http://a", secret=NONE)
    assert type(failure) is kind
    with pytest.raises(kind, match=message):
        raise failure


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, b'{"error": {"message": "m", "code": "context_length_exceeded"}}', "context_length"),
        (400, b'{"error": {"message": "Please reduce: maximum context length is 8192 tokens"}}', "context_length"),
        (500, b'{"error": {"type": "exceed_context_size_error", "message": "exceeds the available context size"}}',
         "context_length"),
        (422, b"Input validation error: too many tokens", "context_length"),
        (413, b"", "context_length"),
        (400, b'{"error": {"message": "no", "code": "content_filter"}}', "refused"),
    ],
)  # fmt: skip
def test_statuses_that_speak_about_this_question(status, body, reason):
    failure = of_status(status, {}, body, url="http://a", secret=NONE)
    assert isinstance(failure, RefusedError)
    assert failure.finish_reason == reason


def test_a_refusal_of_logprobs_is_told_apart_and_words_are_cut():
    assert isinstance(of_status(400, {}, b"logprobs unsupported", url="u", secret=NONE), NoLogprobsError)
    reason = str(of_status(503, {}, b"busy \n" * 1000, url="u", secret=NONE))
    assert len(reason) < 350
    assert reason.endswith("…")


@pytest.mark.parametrize(
    ("asked", "named", "same"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4", "gpt-4o", False),
        ("meta-llama/Llama-3.2-1B", "Llama-3.2-1B", True),
        ("/models/mini", "/models/mini@main", True),
        ("Qwen3-4B", "qwen3-4b:latest", True),
        ("gemini-1.5", "gemini-1.5-001", True),
        ("weights", "/models/weights.gguf", True),
        ("weak-1", "another/model", False),
        ("weak-1", None, True),
        ("weak-1", 7, False),
    ],
)
def test_a_date_tag_or_folder_names_the_same_model(asked, named, same):
    def check(**settings):
        config = ServerConfig(model=asked, base_url="http://a/v1", **settings)
        check_model({} if named is None else {"model": named}, config, NONE)

    check(reply_model="any")
    if same:
        check()
    else:
        with pytest.raises(TransientError, match=f"from model '{named}' instead of '{asked}'.*reply_model: any"):
            check()


def test_certificates_are_checked_and_only_this_machine_is_reached_without_a_proxy(monkeypatch):
    import httpx2

    opened = []
    monkeypatch.setattr(httpx2, "AsyncClient", lambda **options: opened.append(options))
    urls = (
        "https://a.org/v1",
        "HTTPS://b.org/v1",
        "http://a.org/v1",
        "http://localhost:8000/v1",
        "https://127.0.0.1/v1",
    )
    Transport(ServerConfig(model="m", base_url=urls), NONE)
    assert [options["verify"] for options in opened] == [True, True, False, False, True]
    assert [options["trust_env"] for options in opened] == [True, True, True, False, False]


def echo(tokens, values, **more):
    return {"logprobs": {"tokens": tokens, "token_logprobs": values, **more}}


def test_an_echo_is_matched_with_the_text():
    """'Q: A:' is 5 characters; ' yes' follows."""
    plain = echo(["Q", ":", " A", ":", " yes", "."], [None, -1.0, -1.0, -1.0, -0.25, -5.0])
    assert echoed(plain, "Q: A: yes", 5) == OptionScore(-0.25, 1, False)
    sentence_piece = echo(["<s>", "▁Q", ":", "▁A", ":", "▁y", "es", "▁x"], [None, -1, -1, -1, -1, -0.5, -0.25, -5])
    assert echoed(sentence_piece, "Q: A: yes", 5) == OptionScore(-0.75, 2, False)
    straddling = echo(["Q", ":", " A", ": y", "es", "!"], [None, -1.0, -1.0, -2.0, -0.5, -5.0])
    assert echoed(straddling, "Q: A: yes", 5) == OptionScore(-2.5, 2, True)
    no_generated = echo(["Q: A:", " yes"], [None, -0.25])
    assert echoed(no_generated, "Q: A: yes", 5) == OptionScore(-0.25, 1, False)


def test_an_echo_of_split_letters_is_matched_by_offsets():
    """'Q: A:' and ' é', whose bytes are two tokens; the generated token begins at 7."""
    tokens, values = ["Q: A:", " ", "\ufffd", "\ufffd", "."], [None, -0.5, -1.0, -2.0, -5.0]
    assert echoed(echo(tokens, values, text_offset=[0, 5, 6, 6, 7]), "Q: A: é", 5) == OptionScore(-3.5, 3, False)
    with pytest.raises(ConfigError, match="do not spell the prompt"):
        echoed(echo(tokens, values), "Q: A: é", 5)
    with pytest.raises(ConfigError, match="have no log-probability"):
        echoed(echo(["Q: A:", " yes"], [None, None]), "Q: A: yes", 5)


def test_spellings_of_an_option_are_added_up():
    listed = [
        {"token": t, "logprob": math.log(p)} for t, p in (("yes", 0.4), (" Yes", 0.2), ("▁no", 0.1), ("maybe", 0.2))
    ]
    choice = {"logprobs": {"content": [{"token": "yes", "logprob": -1.0, "top_logprobs": listed}]}}
    yes, no, other = first_token(choice, ["yes", "no", "other"])
    assert (math.exp(yes), math.exp(no)) == (pytest.approx(0.6, rel=1e-12), pytest.approx(0.1, rel=1e-12))
    assert other is None
    assert first_token({"logprobs": {"content": []}}, ["yes"]) == [None]  # the end came first


# Numbers and forms of replies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1, 2**31 + 1, 10**401, 1.0, True, "5", None, math.nan])
def test_a_count_of_tokens_that_can_be_none_is_absent(value):
    assert count(value) is None


def test_a_count_of_tokens_that_can_be_is_believed():
    assert [count(value) for value in (0, 5, 2**31)] == [0, 5, 2**31]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 10**401, -(10**401), 0.5, True, "x", None])
def test_a_log_probability_that_can_be_none_is_absent(value):
    assert number(value) is None


def test_a_log_probability_a_little_above_0_is_0():
    assert [number(value) for value in (0.0004, 0, -1.5, -9999.0)] == [0.0, 0.0, -1.5, -9999.0]


def reply(**choice):
    return {"message": {"role": "assistant", "content": "7"}, "finish_reason": "stop", **choice}


REQUEST = Request("chat", {}, {}, False, 1, 5, 5, 100)


def test_a_content_in_parts_is_read():
    parts = [{"type": "text", "text": "So "}, {"type": "image_url"}, {"type": "text", "text": "7."}]
    assert text_of(reply(message={"content": parts}), "chat") == "So 7."
    assert text_of(reply(message={"role": "assistant", "content": [{"type": "refusal"}]}), "chat") is None


def test_an_answer_that_the_server_failed_to_finish_is_asked_for_again():
    with pytest.raises(TransientError, match="finish_reason 'error'"):
        answer_of(reply(finish_reason="error"), REQUEST, Usage(1, 1), NONE)


def test_a_count_that_cannot_be_believed_does_not_reach_the_journal():
    usage = Usage(None, count(10**30))
    assert answer_of(reply(), REQUEST, usage, NONE)["n_tokens"] is None
