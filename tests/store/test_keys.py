"""What a step's key depends on, and on what it does not."""

import hashlib
import math
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from outgrow.core.errors import ConfigError
from outgrow.store import Step, canonical_json

BASE = Step("train", 1, {"lr": 0.001, "epochs": 3, "lora": {"r": 8, "on": True}, "name": None}, {"rows": "ab12"})


def test_canonical_json_is_sorted_compact_ascii_with_exact_floats():
    value = {"b": [1, 1.0, -0.0, 0.1, 1e-7, 10**20], "a": "ä", "c": (True, None)}
    assert canonical_json(value) == '{"a":"\\u00e4","b":[1,1.0,-0.0,0.1,1e-07,100000000000000000000],"c":[true,null]}'


def test_the_key_is_the_digest_of_the_canonical_json_of_everything():
    text = (
        '{"config":{"epochs":3,"lora":{"on":true,"r":8},"lr":0.001,"name":null},'
        '"inputs":{"rows":"ab12"},"step":"train","version":1}'
    )
    assert BASE.key == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        replace(BASE, name="tune"),
        replace(BASE, version=2),
        replace(BASE, config={**BASE.config, "lr": 0.002}),
        replace(BASE, config={**BASE.config, "epochs": 3.0}),
        replace(BASE, config={**BASE.config, "epochs": "3"}),
        replace(BASE, config={**BASE.config, "lora": {"r": 8, "on": False}}),
        replace(BASE, config={**BASE.config, "lora": {"r": 8, "on": 1}}),
        replace(BASE, config={**BASE.config, "name": ""}),
        replace(BASE, config={**BASE.config, "more": None}),
        replace(BASE, config={k: v for k, v in BASE.config.items() if k != "name"}),
        replace(BASE, inputs={"rows": "ab13"}),
        replace(BASE, inputs={"labels": "ab12"}),
        replace(BASE, inputs={}),
    ],
    ids=str,
)
def test_every_field_changes_the_key(other):
    assert other.key != BASE.key
    assert other != BASE


def test_order_of_keys_and_kind_of_container_do_not_change_the_key():
    config = MappingProxyType({"name": None, "lora": {"on": True, "r": 8}, "epochs": 3, "lr": np.float64(0.001)})
    assert replace(BASE, config=config) == BASE
    assert Step("s", 1, {"a": (1, 2)}).key == Step("s", 1, {"a": [1, 2]}).key
    assert len({BASE, replace(BASE, config=config)}) == 1


def test_changing_the_dictionary_afterwards_does_not_change_the_step():
    config = {"a": {"b": [1]}}
    step = Step("s", 1, config)
    config["a"]["b"].append(2)
    assert step.key == Step("s", 1, {"a": {"b": [1]}}).key
    assert step.config == {"a": {"b": [1]}}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (math.nan, r"config\.a\.b\[1\] is nan"),
        (math.inf, r"config\.a\.b\[1\] is inf"),
        (-math.inf, r"config\.a\.b\[1\] is -inf"),
        ({1: 2}, r"config\.a\.b\[1\] has the key 1 of type int"),
        ({2, 3}, r"config\.a\.b\[1\] is \{2, 3\} of type set"),
        (np.int64(3), r"config\.a\.b\[1\] is .*3.* of type int64"),
        (b"x", r"config\.a\.b\[1\] is b'x' of type bytes"),
    ],
)
def test_values_without_one_json_form_are_refused_by_name(value, place):
    with pytest.raises(ConfigError, match=place):
        Step("s", 1, {"a": {"b": [0, value]}})


def test_a_step_needs_a_name_and_inputs_need_hashes():
    with pytest.raises(ConfigError, match="needs a name"):
        Step("", 1, {})
    with pytest.raises(ConfigError, match="input 'rows' of step 'train' is ''"):
        Step("train", 1, {}, {"rows": ""})
