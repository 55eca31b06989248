"""The settings of a server: what they refuse, and what they never show."""

import base64
import json
import pickle
import traceback

import pytest
from pydantic import ValidationError

from outgrow.core.config import Config
from outgrow.core.config_errors import report, validate
from outgrow.core.errors import ConfigError
from outgrow.recipe.recipe import parse_labelling
from outgrow.supervisors.server import ServerConfig
from outgrow.supervisors.server.secret import Secret

KEY = "sk-4f9a0Qx7LmN2-vT8/w+z=="
PLAIN = {"model": "weak-1", "base_url": "http://localhost:8000/v1"}


class Recipe(Config):
    """Settings inside others, as in a recipe."""

    supervisor: ServerConfig


def complaint(**settings):
    """All that a user sees of a refused configuration."""
    raw = {"supervisor": {**PLAIN, **settings}}
    with pytest.raises(ValidationError) as caught:
        validate(Recipe, raw)
    shown = report(caught.value, "recipe", raw) + "".join(traceback.format_exception(caught.value))
    with pytest.raises(ValidationError) as direct:
        ServerConfig(**{**PLAIN, **settings})
    return shown + str(direct.value) + repr(direct.value.errors())


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": KEY},
        {"key": KEY},
        {"token": KEY},
        {"headers": {"Authorization": f"Bearer {KEY}"}},
        {"extra": {"api_key": KEY}},
        {"extra": {"extra_headers": {"x": KEY}}},
        {"extra": {"options": {"access_token": KEY}}},
        {"extra": {"metadata": [{"api_key": KEY}]}},
        {"my_key": KEY},
        {"api_key_env": KEY},
        {"api_key_env": "abcdef0123456789abcdef"},
        {"base_url": f"https://user:{KEY.replace('/', '')}@example.org/v1"},
        {"base_url": f"https://{KEY.replace('/', '')}@example.org/v1"},
        {"base_url": ["https://example.org/v1", f"https://example.org/v1?api-key={KEY}"]},
        {"base_url": f"https://example.org/v1#{KEY}"},
        {"base_url": f"http://[{KEY}/v1"},
        {"api_key": KEY, "concurrency": 0, "unknown": 1},
    ],
)
def test_a_key_in_the_settings_is_refused_and_not_shown(settings):
    shown = complaint(**settings)
    assert "(not shown)" in shown
    for key in (KEY, KEY.replace("/", ""), "abcdef0123456789abcdef"):
        for start in range(len(key) - 5):
            assert key[start : start + 6] not in shown


@pytest.mark.parametrize("forgotten", [{}, {"kind": "file"}, {"kind": "servr"}])
def test_a_key_is_not_shown_where_the_kind_of_supervisor_was_forgotten(forgotten):
    raw = {"task": {"kind": "microworld"}, "supervisors": [{"model": "gpt", "api_key": KEY, **forgotten}]}
    with pytest.raises(ConfigError) as caught:
        parse_labelling(raw)
    assert KEY[:6] not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "localhost:8000"}, "supervisor.base_url: must be a URL such as http://localhost:8000/v1"),
        ({"base_url": "http://localhost:8000/v1/chat/completions"}, "base_url: must end before /completions"),
        ({"base_url": ["http://a/v1", "http://a/v1/"]}, "base_url: the same endpoint stands twice"),
        ({"base_url": ["http://a/v1", "ftp://b"]}, "supervisor.base_url: the 2nd: must be a URL"),
        ({"base_url": []}, "base_url: needs one URL or more"),
        ({"extra": {"temperature": 1.0}}, "extra.temperature: is decided by other settings"),
        ({"api": "completions", "system": "Be short."}, "system: api 'completions' has no system message"),
        ({"concurency": 4}, "concurency: unknown key; did you mean 'concurrency'"),
        ({"timeout": 0}, "timeout: must be greater than 0"),
        ({"max_tokens": 0}, "max_tokens: must be greater than or equal to 1"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    raw = {"supervisor": {**PLAIN, **settings}}
    with pytest.raises(ValidationError) as caught:
        validate(Recipe, raw)
    assert message in report(caught.value, "recipe", raw)


def test_parameters_that_only_sound_like_keys_are_allowed():
    extra = {"prompt_cache_key": "pool", "stop_token_ids": [2], "skip_special_tokens": False}
    assert ServerConfig(**PLAIN, extra=extra).extra == extra


def test_identity_is_what_decides_the_answers():
    plain = ServerConfig(**PLAIN)
    same = {
        "api_key_env": "OTHER_KEY", "concurrency": 2, "timeout": 1.0, "retries": 0, "max_requests": 5, "max_tokens": 9,
        "requests_per_minute": 1.0, "tokens_per_minute": 1.0, "prompt_price": 1.0, "completion_price": 1.0,
        "backoff": 1.0, "max_wait": 1.0,
    }  # fmt: skip
    other = {
        "model": "weak-2", "base_url": "http://localhost:8001/v1", "api": "chat", "revision": "r1",
        "extra": {"top_p": 0.9},
        "system": "Be short.", "logprobs": "off", "max_new_tokens": 7, "token_limit": "max_completion_tokens",
        "send_seed": False, "reply_model": "any", "temperature": None,
    }  # fmt: skip
    assert set(same) | set(other) == set(ServerConfig.model_fields)
    for name, value in same.items():
        assert ServerConfig(**{**PLAIN, name: value}).identity() == plain.identity(), name
    for name, value in other.items():
        assert ServerConfig(**{**PLAIN, name: value}).identity() != plain.identity(), name
    json.dumps(plain.identity(), allow_nan=False)


def test_endpoints_are_part_of_the_identity_only_without_a_revision():
    def identity(urls, **settings):
        return ServerConfig(model="m", base_url=urls, **settings).identity()

    assert identity(("http://a/v1", "http://b/v1")) == identity(("http://b/v1/", "http://a/v1"))
    assert identity("http://a/v1") != identity("http://b/v1")
    assert identity("http://a/v1", revision="r1") == identity("http://b/v1", revision="r1")


def test_settings_survive_json():
    config = ServerConfig(model="m", base_url=("http://a/v1", "http://b/v1"), extra={"stop": ["\n"]})
    assert ServerConfig.model_validate_json(config.model_dump_json()) == config


def test_a_secret_is_not_shown_pickled_or_left_in_a_text(monkeypatch):
    monkeypatch.setenv("A_KEY", f" {KEY}\n")
    secret = Secret.from_environment("A_KEY")
    assert secret.header() == f"Bearer {KEY}"
    assert KEY not in f"{secret} {secret!r}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)
    assert secret.scrub(f"key {KEY}, bearer:{KEY}.") == "key [key], bearer:[key]."
    # percent, JSON and base64 forms, each computed by hand from the key above
    assert secret.scrub("sk-4f9a0Qx7LmN2-vT8%2Fw%2Bz%3D%3D") == "[key]"
    assert secret.scrub("you sent sk-4f9a0*******") == "you sent [key]*******"
    assert secret.scrub("nothing of it, sk- aside") == "nothing of it, sk- aside"
    assert not Secret.from_environment("NO_SUCH_KEY")


def test_a_short_key_stays_a_word_in_answers():
    assert Secret("EMPTY", "K").scrub_answer("the box is EMPTY") == "the box is EMPTY"
    assert Secret(KEY, "K").scrub_answer(f"is it {KEY}?") == "is it [key]?"


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_refused_unseen(monkeypatch, value):
    monkeypatch.setenv("A_KEY", value)
    with pytest.raises(ConfigError, match="A_KEY holds blanks") as caught:
        Secret.from_environment("A_KEY")
    assert value not in str(caught.value)


def test_a_key_is_masked_however_it_is_written():
    secret = Secret(KEY, "K")
    spaced, dashed = " ".join(KEY), "-".join(KEY)
    for form in (KEY.upper(), KEY.lower(), KEY[::-1], KEY.encode().hex(), KEY.encode().hex().upper(), spaced, dashed,
                 KEY[::-1].upper(), " ".join(KEY[::-1]), base64.b64encode(KEY.encode()).decode()):  # fmt: skip
        assert secret.scrub(f"it was {form}!") == "it was [key]!", form
    assert secret.scrub(f"it ends in {KEY[-9:].upper()}") == "it ends in [key]"
    assert secret.scrub(f"it ends in {KEY[::-1][:9]}") == "it ends in [key]"
    assert secret.scrub_answer(f"a{KEY.upper()}b {KEY.encode().hex()}") == "a[key]b [key]"
    assert (
        secret.scrub("nothing of it is here, not a word of the key") == "nothing of it is here, not a word of the key"
    )
