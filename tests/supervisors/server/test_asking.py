"""What is asked of a server, and what its replies become."""

import json
import math
import random
import time

import pytest
from asking import Colours, ask, server
from fake_server import chat, completion, error
from serving import Sent

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import ANSWERS


def usage_of(table):
    return json.loads(table.schema.metadata[b"usage"])


def test_a_chat_answer_becomes_a_row_with_its_logprob(fake):
    one = fake(lambda asked: chat(" green", logprobs=[(" gr", -0.25, {}), ("een", -0.5, {})]))
    table = ask(server(one.url))
    assert table.schema.equals(ANSWERS)
    (row,) = table.to_pylist()
    assert row == {
        "example_id": "e0", "source": "weak", "variant": 0, "sample": 0,
        "wording": {"kind": "permutation", "template": "default", "permutation": [0, 1, 2]},
        "prompt": "Question: colour of 0? (0) Answer:", "text": " green", "value": "green",
        "logprob": -0.75, "n_tokens": 2, "probabilities": None, "finish_reason": "stop",
    }  # fmt: skip
    assert one.asked[0].path == "/chat/completions"
    assert one.asked[0].body == {
        "model": "weak-1", "max_tokens": 4, "temperature": 0.0, "logprobs": True,
        "messages": [{"role": "user", "content": "Question: colour of 0? (0) Answer:"}],
    }  # fmt: skip
    assert "authorization" not in one.asked[0].headers


def test_a_completion_answer_becomes_a_row_with_its_logprob(fake):
    one = fake(lambda asked: completion(" blue.", logprobs=[[(" blue", -0.125), (".", -2.0)]]))
    (row,) = ask(server(one.url, api="completions")).to_pylist()
    assert (row["text"], row["value"], row["logprob"], row["n_tokens"]) == (" blue.", None, -2.125, 2)
    assert one.asked[0].path == "/completions"
    assert one.asked[0].body == {
        "model": "weak-1", "max_tokens": 4, "temperature": 0.0, "logprobs": 1,
        "prompt": "Question: colour of 0? (0) Answer:",
    }  # fmt: skip


def test_demonstrations_are_turns_in_chat_and_text_in_completions(fake):
    one = fake(lambda asked: chat("red") if "messages" in asked.body else completion("red"))
    turns = [("Colour of grass? Answer:", "green"), ("Colour of sky? Answer:", "blue")]
    ask(server(one.url, system="Be short."), turns=turns)
    ask(server(one.url, api="completions"), turns=turns)
    assert [tuple(message.values()) for message in one.asked[0].body["messages"]] == [
        ("system", "Be short."),
        ("user", "Colour of grass? Answer:"), ("assistant", "green"),
        ("user", "Colour of sky? Answer:"), ("assistant", "blue"),
        ("user", "Question: colour of 0? (0) Answer:"),
    ]  # fmt: skip
    assert one.asked[1].body["prompt"] == (
        "Colour of grass? Answer: green\n\nColour of sky? Answer: blue\n\nQuestion: colour of 0? (0) Answer:"
    )


def test_only_drawn_answers_get_a_temperature_and_a_seed_of_their_own(fake):
    one = fake(lambda asked: chat(["red", "green", "blue"][asked.body.get("seed", 0) % 3]))
    ask(server(one.url, concurrency=1), variants=2, samples=2, temperature=0.7, seed=5)
    sent = [(asked.body["temperature"], asked.body.get("seed")) for asked in one.asked]
    seeds = {  # the first 32 bits of the digest without the last one
        (v, s): int(sha256_text("server", 5, "e0", v, s)[:8], 16) // 2 for v in range(2) for s in range(2)
    }
    assert sent == [(0.0, None), (0.7, seeds[0, 1]), (0.7, seeds[1, 0]), (0.7, seeds[1, 1])]
    assert all(0 <= seed < 2**31 for seed in seeds.values())
    ask(server(one.url, send_seed=False), samples=2, temperature=0.7)
    assert "seed" not in one.asked[-1].body


def test_a_model_with_a_temperature_of_its_own_is_sent_none(fake):
    one = fake(lambda asked: chat("red") if "messages" in asked.body else completion("red"))
    task = Colours()
    for api in ("chat", "completions"):
        ask(server(one.url, temperature=None, api=api), n=2, variants=2, samples=2, temperature=0.7, task=task)
    assert len(one.asked) == 16
    assert all("temperature" not in asked.body for asked in one.asked)
    assert len({asked.body["seed"] for asked in one.asked}) == 8  # also the first is drawn
    plain = server(one.url)
    assert server(one.url, temperature=None).identity() == {**plain.identity(), "temperature": None}


def test_reasoning_that_comes_apart_is_no_answer(fake):
    replies = iter(
        [
            chat("green", reasoning_content="red, blue? The answer is red."),
            chat(None, reasoning_content="The answer is red", finish_reason="length"),
            chat("", reasoning_content="The answer is red", finish_reason="length"),
            chat("<think>The answer is red", finish_reason="length"),
            chat("<think>The answer is red.</think>blue"),
        ]
    )
    one = fake(lambda asked: next(replies))
    rows = ask(server(one.url, concurrency=1), n=5).to_pylist()
    assert [row["value"] for row in rows] == ["green", None, None, None, "blue"]
    assert [row["finish_reason"] for row in rows] == ["stop", "length", "length", "length", "stop"]


def test_settings_reach_the_body(fake):
    one = fake(lambda asked: chat("red"))
    config = server(
        one.url,
        logprobs="off",
        token_limit="max_completion_tokens",
        max_new_tokens=9,
        extra={"top_p": 0.5, "stop": ["\n"]},
    )
    ask(config)
    body = dict(one.asked[0].body, messages=None)
    assert body == {
        "model": "weak-1", "max_completion_tokens": 9, "temperature": 0.0, "messages": None, "top_p": 0.5,
        "stop": ["\n"],
    }  # fmt: skip


def test_rows_are_in_the_order_of_queries_whatever_arrives_first(fake):
    def script(asked):
        time.sleep(random.Random(asked.text).random() / 20)
        return chat(asked.text.split()[3].strip("?"))  # the number asked about

    one = fake(script)
    table = ask(server(one.url, concurrency=16), n=20, variants=2)
    assert [(row["example_id"], row["variant"], row["text"]) for row in table.to_pylist()] == [
        (f"e{i}", v, str(i)) for i in range(20) for v in range(2)
    ]
    arrival = [asked.text for asked in one.asked]
    assert arrival != sorted(arrival)


def test_options_are_scored_by_the_echo_of_completions(fake):
    """Tokens of the prompt: <s>, Question..., Answer:. Options: one token, one token, two tokens."""
    own = {"red": [(" red", -1.0)], "green": [(" green", -2.0)], "blue": [(" bl", -0.5), ("ue", -3.0)]}

    def script(asked):
        found = [
            [("<s>", None), ("Question: colour of 0? (0)", -7.0), (" Answer:", -9.0), *own[option], (" ever", -0.1)]
            for option in ("red", "green", "blue")
        ]
        return completion(*(text + " ever" for text in asked.body["prompt"]), logprobs=found)

    one = fake(script)
    table = ask(server(one.url), decoding="options")
    (row,) = table.to_pylist()
    total = math.exp(-1) + math.exp(-2) + math.exp(-3.5)
    assert (row["text"], row["value"], row["logprob"], row["n_tokens"]) == ("red", "red", -1.0, 1)
    assert dict(row["probabilities"]) == pytest.approx(
        {"red": math.exp(-1) / total, "green": math.exp(-2) / total, "blue": math.exp(-3.5) / total}, rel=1e-12
    )
    assert row["finish_reason"] == "scored"
    assert table.schema.metadata[b"decoding"] == b"options"
    assert table.schema.metadata[b"boundary_mismatches"] == b"0"
    assert one.asked[0].body == {
        "model": "weak-1", "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1,
        "prompt": [f"Question: colour of 0? (0) Answer: {option}" for option in ("red", "green", "blue")],
    }  # fmt: skip


LETTERS = Colours(("A", "B", "C"))


def test_letters_are_scored_by_the_alternatives_to_the_first_chat_token(fake):
    alternatives = {"B": math.log(0.5), " A": math.log(0.2), "A": math.log(0.1), "The": math.log(0.05)}
    one = fake(lambda asked: chat("B", logprobs=[("B", math.log(0.5), alternatives)]))
    (row,) = ask(server(one.url, api="chat"), task=LETTERS, decoding="options").to_pylist()
    assert (row["text"], row["value"]) == ("B", "green")
    assert row["logprob"] == pytest.approx(math.log(0.5), rel=1e-12)
    assert dict(row["probabilities"]) == pytest.approx({"red": 0.3 / 0.8, "green": 0.5 / 0.8, "blue": 0.0}, rel=1e-12)
    assert one.asked[0].body["top_logprobs"] == 20
    assert one.asked[0].body["max_tokens"] == 1


def test_options_none_of_which_is_listed_give_an_invalid_answer(fake):
    one = fake(lambda asked: chat("The", logprobs=[("The", -0.1, {"The": -0.1, "A": -9999.0})]))
    (row,) = ask(server(one.url, api="chat"), task=LETTERS, decoding="options").to_pylist()
    assert (row["text"], row["value"], row["probabilities"], row["finish_reason"]) == (None, None, None, "no_option")


def test_drawn_options_follow_the_tempered_probabilities_and_are_asked_once(fake):
    """p = .8, .2 at temperature 2: sqrt(.8) : sqrt(.2) = 2 : 1, so 1/3 of draws are the second."""
    alternatives = {"A": math.log(0.8), "B": math.log(0.2)}
    one = fake(lambda asked: chat("A", logprobs=[("A", math.log(0.8), alternatives)]))
    table = ask(server(one.url, api="chat"), task=LETTERS, decoding="options", samples=1501, temperature=2.0)
    assert len(one.asked) == 1
    texts = table["text"].to_pylist()
    assert texts[0] == "A"  # sample 0 of variant 0 is greedy
    share = texts[1:].count("B") / 1500
    assert abs(share - 1 / 3) < 4 * math.sqrt(2 / 9 / 1500)
    assert texts.count("C") == 0


def test_a_chat_model_cannot_score_options_of_several_words(fake):
    one = fake(lambda asked: chat("x"))
    with pytest.raises(ConfigError, match=r"single words, best letters.*api 'completions'"):
        ask(server(one.url, api="chat"), task=Colours(("deep red", "green", "blue")), decoding="options")
    assert one.asked == []


@pytest.mark.parametrize(
    ("api", "reply", "message"),
    [
        ("completions", completion("a", "b", "c"), "echoed prompt.*no logprobs.tokens"),
        # llama.cpp lists the generated token alone, however it is asked (github.com/ggml-org/llama.cpp/issues/27174)
        ("completions", completion("a", "b", "c", logprobs=[[("a", -1.0)]] * 3), "echoed prompt.*do not spell"),
        ("chat", chat("A"), "top_logprobs.*no logprobs.content"),
        ("chat", chat("A", logprobs=[("A", -0.1, {})]), "no top_logprobs"),
    ],
)
def test_a_server_without_the_logprobs_for_options_is_told_apart(fake, api, reply, message):
    one = fake(lambda asked: reply)
    with pytest.raises(ConfigError, match=f"decoding 'options' needs.*{message}.*set decoding 'generate'"):
        ask(server(one.url, api=api), task=LETTERS, decoding="options")


def test_a_server_that_refuses_logprobs_is_asked_without_them(fake):
    def script(asked):
        refused = error(400, "logprobs are not supported with this model", code="unsupported_parameter")
        return refused if "logprobs" in asked.body else chat("red")

    one = fake(script)
    table = ask(server(one.url, concurrency=1, retries=0), n=3)
    assert table["value"].to_pylist() == ["red"] * 3
    assert table["logprob"].null_count == 3
    assert ["logprobs" in asked.body for asked in one.asked] == [True, False, False, False]
    with pytest.raises(ConfigError, match="decoding 'options' needs"):
        ask(server(one.url, api="chat"), task=LETTERS, decoding="options")


def test_generating_reads_an_option_from_the_text_even_where_there_are_options(fake):
    one = fake(lambda asked: chat("I say green ."))
    table = ask(server(one.url))
    assert table["value"].to_pylist() == ["green"]
    assert table.schema.metadata[b"decoding"] == b"generate"
    with pytest.raises(ConfigError, match="needs a local model"):
        ask(server(one.url), decoding="classify")
    with pytest.raises(ConfigError, match="needs options in every wording"):
        ask(server(one.url), task=Colours(None), decoding="options")
    with pytest.raises(ConfigError, match="copies of one answer"):
        ask(server(one.url), samples=2)


@pytest.mark.parametrize(
    ("reply", "text", "reason"),
    [
        (chat("red gr", finish_reason="length"), "red gr", "length"),
        (chat("", finish_reason="stop"), "", "stop"),
        (chat(None, refusal="I will not"), None, "refused"),
        (chat(None, finish_reason="content_filter"), None, "content_filter"),
        (chat(None, tool_calls=[{"id": "1"}], finish_reason="tool_calls"), None, "tool_calls"),
        (chat("half a pair \ud83d"), "half a pair ?", "stop"),
        (error(400, "This model's maximum context length is 8 tokens"), None, "context_length"),
        (error(400, "too much", code="context_length_exceeded"), None, "context_length"),
        (error(500, "the request exceeds the available context size. try increasing", kind="exceed_context_size_error"),
         None, "context_length"),
        (Sent(413, b"<html>Payload Too Large</html>"), None, "context_length"),
        (error(400, "The response was filtered", code="content_filter"), None, "refused"),
    ],
)  # fmt: skip
def test_what_ends_an_answer_is_kept(fake, reply, text, reason):
    one = fake(lambda asked: reply)
    (row,) = ask(server(one.url)).to_pylist()
    assert (row["text"], row["finish_reason"]) == (text, reason)
    assert row["value"] == ("red" if text and text.startswith("red") else None)
    assert len(one.asked) == 1


def test_usage_counts_tokens_cost_latency_and_endpoints(fake):
    one, two = fake(lambda asked: chat("red")), fake(lambda asked: chat("red"))
    config = server((one.url, two.url), prompt_price=2.0, completion_price=8.0, concurrency=4)
    usage = usage_of(ask(config, n=40))
    assert (usage["answers"], usage["requests"], usage["retries"], usage["resumed"]) == (40, 40, 0, 0)
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (400, 80)
    assert usage["cost"] == pytest.approx((400 * 2.0 + 80 * 8.0) / 1e6, rel=1e-12)
    assert usage["endpoints"] == {one.url: len(one.asked), two.url: len(two.asked)}
    assert min(len(one.asked), len(two.asked)) >= 10  # balanced
    assert 0 < usage["latency_p50"] <= usage["latency_p95"] <= usage["seconds"]
    assert usage["finish_reasons"] == {"stop": 40}


def test_tokens_are_estimated_where_a_reply_does_not_count_them(fake):
    one = fake(lambda asked: chat("red gold", usage=None))
    usage = usage_of(ask(server(one.url)))
    assert usage["replies_without_token_counts"] == 1
    assert usage["prompt_tokens"] == 12  # 34 bytes of prompt, three to a token
    assert usage["completion_tokens"] == 3  # 8 bytes
    assert usage["cost"] is None


def test_progress_and_a_running_event_loop(fake):
    import asyncio

    one, seen = fake(lambda asked: chat("red")), []

    async def notebook():
        return ask(server(one.url, concurrency=2), n=3, progress=lambda done, total: seen.append((done, total)))

    assert asyncio.run(notebook()).num_rows == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_no_question_needs_no_server():
    assert ask(server("http://127.0.0.1:9/v1"), n=0).num_rows == 0
