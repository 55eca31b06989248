"""The files of a report: complete, self-contained, repeatable, and closed to hostile text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from outgrow.reporting import write_report
from outgrow.reporting.markdown import escape, fence


class Page(HTMLParser):
    """Elements, attributes and the contents of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.scripts, self.text, self._in = [], [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in == "script":
            self.scripts[-1] += data
        self.text.append(data)


@pytest.fixture(scope="module")
def page(report):
    return Page((report / "report.html").read_text("utf-8"))


def test_every_figure_lies_there_as_svg_and_csv(report):
    names = {path.stem for path in (report / "figures").iterdir()}
    assert len(names) == 10
    assert {path.name for path in (report / "figures").iterdir()} == {f"{n}.{s}" for n in names for s in ("svg", "csv")}


def test_nothing_is_left_half_written(report):
    assert not [path for path in report.rglob(".*") if path.is_file()]


def test_the_page_fetches_nothing(page):
    for tag, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
            assert value.startswith(("#", "data:")), (tag, name, value)
    assert not {"iframe", "object", "embed", "base", "form", "img"} & set(page.tags)


def test_only_the_pages_own_script_may_run(page):
    policy = next(value for tag, name, value in page.attributes if name == "content" and "default-src" in value)
    digest = base64.b64encode(hashlib.sha256(page.scripts[-1].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}';" in policy
    assert len(page.scripts) == 2  # the data, and the one script
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


def test_hostile_text_stays_text(page, hostile):
    everything = "".join(page.text)
    for text in hostile.HOSTILE:
        if "\u2028" not in text:
            assert text in everything
    assert page.tags.count("h1") == 1
    assert "49" not in [text.strip() for text in page.text]  # {{ 7 * 7 }} was not worked out


def test_the_answers_in_the_page_hold_every_row(page, hostile):
    data = json.loads(gzip.decompress(base64.b64decode(page.scripts[0])))
    assert len(data["row_question"]) == 120
    assert set(hostile.HOSTILE) <= set(data["texts"])


def test_formulas_are_disarmed_in_csv(report):
    text = (report / "figures" / "heat.csv").read_text("utf-8")
    assert "'=cmd" in text
    assert not re.search(r'(^|,)"?=', text, flags=re.MULTILINE)


def test_markdown_tables_keep_their_columns_whatever_the_text(report):
    blocks = re.findall(r"(?:^\|.*\n)+", (report / "report.md").read_text("utf-8"), flags=re.MULTILINE)
    assert len(blocks) >= 8
    for block in blocks:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_markdown_holds_no_html_and_links_only_its_figures(report):
    text = re.sub(r"^(`{3,})yaml.*?^\1$", "", (report / "report.md").read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"<[a-z/!]", text)
    targets = re.findall(r"(?<!\\)\]\(([^)]*)\)", text)
    assert targets
    assert all(re.fullmatch(r"figures/[a-z_]+\.(svg|csv)", target) for target in targets)
    assert text.count("![") == 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b *c* _d_ e_f", r"a\|b \*c\* \_d\_ e_f"),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("[x](y) [x]: z [1, 2]", r"[x\](y) [x\]: z [1, 2]"),
        ("$x$ ~~y~~ `z`", r"\$x\$ \~\~y\~\~ \`z\`"),
        ("# head", r"\# head"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("two\nlines", "two lines"),
        ("back\\slash", "back\\\\slash"),
    ],
)
def test_markdown_marks_are_escaped(text, expected):
    assert escape(text) == expected


def test_a_fence_is_longer_than_the_backticks_inside():
    assert fence("a: ````").splitlines() == ["`````yaml", "a: ````", "`````"]


def test_the_same_results_give_the_same_bytes_and_missing_parts_are_said(tmp_path, results):
    results["arms"] = [dict(each, curves=[]) for each in results["arms"][:2]]
    contents = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
        files = write_report(folder)
        contents.append({p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()})
        assert files.html == folder / "report.html"
    assert contents[0] == contents[1]
    html = files.html.read_text("utf-8")
    assert "holds no answers.parquet" in html
    assert "holds no provenance.json" in html
    assert "holds no provenance.json" in files.markdown.read_text("utf-8")


def test_a_report_written_again_replaces_the_old_one(tmp_path, results):
    results["arms"] = []
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (tmp_path / "report.html").write_text("old", encoding="utf-8")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "pgr.svg").write_text("old", encoding="utf-8")
    (tmp_path / "figures" / "mine.svg").write_text("the user's own", encoding="utf-8")
    assert "old" not in write_report(tmp_path).html.read_text("utf-8")[:40]
    assert not (tmp_path / "figures" / "pgr.svg").exists()
    assert (tmp_path / "figures" / "mine.svg").exists()


def test_what_servers_charged_stands_in_both_forms_of_a_report_that_asked_one(report, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(report, folder)
    assert "Answers from servers" not in (folder / "report.html").read_text("utf-8")
    provenance = json.loads((folder / "provenance.json").read_text("utf-8"))
    counts = {"answers": 1, "requests": 91_234, "retries": 0, "prompt_tokens": 1, "completion_tokens": 1}
    used = {"about": "weak answers pool", **counts, "cost": None, "latency_p50": 0.25, "latency_p95": 1.5}
    (folder / "provenance.json").write_text(json.dumps({**provenance, "usage": [used]}), "utf-8")
    files = write_report(folder)
    for text in (files.html.read_text("utf-8"), (folder / "report.md").read_text("utf-8")):
        assert "Answers from servers" in text
        assert "91,234" in text


def test_figures_are_kept_only_for_the_same_results_code_and_files(tmp_path, results, monkeypatch):
    from outgrow.reporting.figures import draw, kept

    drawings = []
    whole = draw.draw_all
    monkeypatch.setattr(draw, "draw_all", lambda given: drawings.append(given) or whole(given))
    results["arms"] = [dict(each, curves=[]) for each in results["arms"][:2]]
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")

    def drawn_again(**options):
        before = len(drawings)
        write_report(tmp_path, **options)
        return len(drawings) > before

    assert drawn_again(keep=True)  # the first
    files = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    assert not drawn_again(keep=True)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == files
    assert drawn_again()  # asked for anew
    (tmp_path / "figures" / "arms.svg").write_text("<svg/>", encoding="utf-8")
    assert drawn_again(keep=True)
    (tmp_path / "figures" / "arms.csv").unlink()
    assert drawn_again(keep=True)
    (tmp_path / kept.MANIFEST).write_text("[]", encoding="utf-8")
    assert drawn_again(keep=True)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == files
    (tmp_path / "results.json").write_text(json.dumps(results | {"name": "another"}), encoding="utf-8")
    assert drawn_again(keep=True)
    monkeypatch.setattr(kept, "version", lambda name: "another")
    assert drawn_again(keep=True)


def test_a_report_with_kept_figures_does_not_import_matplotlib(tmp_path, results):
    (tmp_path / "results.json").write_text(json.dumps(results), encoding="utf-8")
    write_report(tmp_path)
    code = (
        "import sys; from pathlib import Path; from outgrow.reporting import write_report; "
        f"write_report(Path({str(tmp_path)!r}), keep=True); sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_several_cells_get_a_ladder_and_a_report_each(results, tmp_path):
    """Two supervisors teach one student: lines of the ladder, a table of all cells, and a page for each."""
    shared = ("name", "recipe", "seeds", "task", "primary")
    body = {key: value for key, value in results.items() if key not in (*shared, "format")}
    body["arms"] = [dict(each, curves=[]) for each in results["arms"][:2]]
    cells = [
        body
        | {"name": f"{weak} to big", "supervisor": results["supervisor"] | {"name": weak}, "student": {"name": "big"}}
        for weak in ("tiny", "little")
    ]
    new = {"format": 2, **{key: results[key] for key in shared}, "cells": cells}
    (tmp_path / "results.json").write_text(json.dumps(new), encoding="utf-8")
    files = write_report(tmp_path)
    page, twin = files.html.read_text("utf-8"), files.markdown.read_text("utf-8")
    for weak in ("tiny", "little"):
        assert f'href="cells/{weak}-to-big/report.html"' in page
        assert (tmp_path / "cells" / f"{weak}-to-big" / "report.html").is_file()
        assert f"cells/{weak}-to-big/report.md" in twin
    lines = (tmp_path / "figures" / "ladder.csv").read_text("utf-8").splitlines()
    assert lines[0] == "arm,supervisor,student,value,low,high"
    assert len(lines) == 1 + 2 * 2  # an arm and a supervisor each
