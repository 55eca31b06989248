"""YAML that wants to hurt: one error with file and place, soon; what is harmless stays readable."""

import time

import pytest

from outgrow.core.errors import ConfigError
from outgrow.recipe.yaml import LARGEST, apply_overrides, parse_yaml, read_yaml

ALIASES = "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(20))
MERGES = "".join(f"m{i + 1}: &m{i + 1} {{<<: [{', '.join([f'*m{i}'] * 10)}]}}\n" for i in range(20))
FLAT = "x: &x {" + ", ".join(f"k{i}: {i}" for i in range(1000)) + "}\ny: [" + "*x, " * 60 + "]\n"
BOMBS = {
    "aliases": ("a0: &a0 [x]\n" + ALIASES, "line 6, column 5: its aliases make more than 100,000 values"),
    "merge keys": ("m0: &m0 {x: 1}\n" + MERGES, "line 6, column 14: its aliases make more than 100,000 values"),
    "a wide one": (FLAT, "line 2, column 4: its aliases make more than 100,000 values"),
    "itself": ("a: &a [1, *a]\n", "line 1, column 11: an alias stands inside of what it names"),
    "itself, merged": ("a: &a\n  <<: *a\n", "line 2, column 7: an alias stands inside of what it names"),
    "flow depth": ("a: " + "[" * 100_000, "line 1, column 53: nested more than 50 levels deep"),
    "block depth": ("- " * 50_000, "line 1, column 101: nested more than 50 levels deep"),
    "digits": ("seeds: [" + "7" * 200_000 + "]\n", "line 1, column 9: '" + "7" * 39 + "…' is not a whole number of 64"),
    "a million digits": ("seeds: " + "7" * 10**6, "longer than 250,000 characters"),
    "65 bits": ("a: 1\nseeds: [0, 18446744073709551616]\n", "line 2, column 12: '18446744073709551616' is not a whole"),
    "hexadecimal": ("seeds: [0x8000000000000000]", "line 1, column 9: '0x8000000000000000' is not a whole number"),
    "a false type": ("a: !!int x\n", "line 1, column 4: 'x' is not a whole number of 64 bits"),
    "a false date": ("a: !!timestamp 2001-99-99\n", "line 1, column 4: '2001-99-99' is not a value of the type"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_one_error_with_file_and_place_within_a_second(tmp_path, name):
    text, message = BOMBS[name]
    (tmp_path / "recipe.yaml").write_text(text)
    began = time.perf_counter()
    with pytest.raises(ConfigError) as caught:
        read_yaml(tmp_path / "recipe.yaml")
    assert time.perf_counter() - began < 1
    assert str(caught.value).startswith(f"{tmp_path / 'recipe.yaml'}")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_bomb_on_the_command_line_names_the_override_in_short():
    with pytest.raises(ConfigError) as caught:
        apply_overrides({}, ["seeds=[" + "9" * 100_000 + "]"])
    assert "override 'seeds=[9999" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_aliases_and_merge_keys_of_ordinary_size_are_read():
    text = "base: &base {epochs: 2, lora: {r: 4}}\none: {<<: *base, epochs: 3}\nboth: [*base, *base]\n"
    base = {"epochs": 2, "lora": {"r": 4}}
    assert parse_yaml(text, "x") == {"base": base, "one": {**base, "epochs": 3}, "both": [base, base]}
    assert parse_yaml("[-9223372036854775808, 9223372036854775807, true]", "x") == [-(2**63), 2**63 - 1, True]
    assert len(parse_yaml("a: &a [" + "1, " * 1000 + "]\nb: [" + "*a, " * (LARGEST // 1001 - 2) + "]", "x")["b"]) == 97
