"""How `make docs` builds the site: README in front, the guides, the reference from the docstrings.

The pages stay plain Markdown that reads as well where the repository is browsed. Nothing comes from a network, neither
while building nor while reading.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import outgrow

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project, author, release = "outgrow", "the outgrow authors", outgrow.__version__
root_doc = "README"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md"]
exclude_patterns = ["**/.*", ".*", "src", "tests", "benchmarks", "scripts", "examples", "build", "runs"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
default_role = "code"
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 90
html_theme, html_title, html_copy_source = "furo", "outgrow", False
html_show_sphinx = False
pygments_style, pygments_dark_style = "friendly", "monokai"

SECTIONS = {
    "Guides": [
        "python",
        "annotators",
        "ensembles",
        "supervisors",
        "tasks",
        "microworld",
        "formats",
        "statistics",
        "scaling",
        "slurp",
    ],
    "Reference": ["api", "papers"],
    "The project": ["decisions", "log", "benchmarks", "../CHANGELOG", "../CONTRIBUTING"],
}
"""Pages of the side bar by caption; a guide that is not listed comes after the others."""


def add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Give README, which has none, the table of contents that the side bar shows."""
    if page == root_doc:
        listed = [name for names in SECTIONS.values() for name in names]
        more = sorted(path.stem for path in Path(__file__).parent.glob("*.md") if path.stem not in listed)
        for caption, names in {**SECTIONS, "Guides": SECTIONS["Guides"] + more}.items():
            pages = "\n".join(f"docs/{name}" for name in names)
            source[0] += f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"


def add_front_page(app: Sphinx, error: Exception | None) -> None:
    """A browser that opens the folder asks for index.html."""
    if error is None:
        shutil.copy(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def without_signature(app: Sphinx, what: str, *details: object) -> tuple[str, None] | None:
    """A class is described by its attributes; the signature of a model of settings would fill a page."""
    return ("", None) if what == "class" else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", add_contents)
    app.connect("autodoc-process-signature", without_signature)
    app.connect("build-finished", add_front_page)
