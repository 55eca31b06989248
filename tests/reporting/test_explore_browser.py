"""The page of labels in headless Chromium: bars filter the table, by mouse and by keyboard, and text stays text.

Screenshots go to the folder that OUTGROW_SCREENSHOTS names, else to pytest's temporary one.
"""

from __future__ import annotations

import base64
import os
import shutil
import time
from pathlib import Path

import pyarrow as pa
import pytest

from outgrow.core.tables import ANSWERS, build
from outgrow.io import as_answers
from outgrow.io.questions import read_decisions
from outgrow.reliability import agreement
from outgrow.reliability.annotators import annotator_table, fit_annotators
from outgrow.reporting.explore import write_explorer
from outgrow.studies.crowds import Crowd, simulate

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Chromium and chromedriver are not installed (apt install chromium-driver)"
)
OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1440,900"
)
N = 120
# i mod 4 says how the four answers of question i fall: all a; 3 a, 1 b; 2 a, 2 b (tie); 3 b, 1 not parsed
PATTERNS = ("aaaa", "aaab", "aabb", "bbb-")


def answers_of(n, hostile=()):
    rows = [(i, k, value) for i in range(n) for k, value in enumerate(PATTERNS[i % 4])]
    names = {"a": "alpha", "b": "beta", "-": None}
    asked = [hostile[i] if i < len(hostile) else f"What is number {i}?" for i in range(n)]
    return build(
        ANSWERS,
        {
            "example_id": [f"q{i:06d}" for i, _, _ in rows],
            "source": ["s"] * len(rows),
            "variant": [k for _, k, _ in rows],
            "sample": [0] * len(rows),
            "prompt": [asked[i] if k == 0 else f"In other words: {asked[i]}" for i, k, _ in rows],
            "text": [f"It is {names[v]}" for _, _, v in rows],
            "value": pa.array([names[v] for _, _, v in rows], pa.string()),
            "logprob": [-0.5] * len(rows),
        },
    )


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in [*OPTIONS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        found.command_executor.client_config.timeout = 600
        found.set_page_load_timeout(600)
        found.set_script_timeout(600)
        yield found
    finally:
        found.quit()


@pytest.fixture(scope="module")
def page(driver, hostile, tmp_path_factory):
    """The driver on a page of 120 questions, the first ones hostile."""
    path = tmp_path_factory.mktemp("explore") / "labels.html"
    answers = answers_of(N, hostile.HOSTILE)
    write_explorer(agreement(answers, seed=0), path, answers=answers, name=hostile.HOSTILE[1])
    driver.get(path.as_uri())
    return driver


@pytest.fixture
def run(page):
    """Run JavaScript on the page with nothing chosen and nothing sought."""
    page.execute_script("document.getElementById('f-reset').click()")
    return page.execute_script


def bar(run, histogram, name, then="click()"):
    return run(
        """const box = [...document.querySelectorAll(".histogram")]
        .find((b) => b.querySelector("h3").textContent === arguments[0]);
        const bar = [...box.querySelectorAll(".bar")]
        .find((b) => b.querySelector(".name").textContent === arguments[1]);
        return bar."""
        + then,
        histogram,
        name,
    )


def counts(run, histogram):
    """Bar name to the number of questions shown beside it."""
    return run(
        """const box = [...document.querySelectorAll(".histogram")]
        .find((b) => b.querySelector("h3").textContent === arguments[0]);
        const part = (b, name) => b.querySelector(name).textContent;
        return Object.fromEntries([...box.querySelectorAll(".bar")]
          .map((b) => [part(b, ".name"), Number(part(b, ".count").replace(",", ""))]));""",
        histogram,
    )


def status(run):
    return run("return document.getElementById('answers-status').textContent").split(" ·")[0]


def column(run, title):
    return run(
        """const at = [...document.querySelectorAll("#answers-table thead th")]
        .findIndex((th) => th.textContent === arguments[0]);
        return [...document.querySelectorAll("#answers-table tbody tr:not(.detail)")]
          .map((tr) => tr.children[at].innerText);""",
        title,
    )


def search(run, text):
    run(
        """const box = document.getElementById("f-text"); box.value = arguments[0];
        box.dispatchEvent(new Event("input"));""",
        text,
    )
    time.sleep(0.05)


def test_the_page_opens_with_every_question_in_pages_of_fifty(run):
    assert status(run) == "120 of 120 questions"
    assert len(column(run, "Label")) == 50
    run("document.getElementById('p-last').click()")
    assert len(column(run, "Label")) == 20
    assert run("return document.getElementById('p-where').textContent") == "Page 3 of 3"


def test_histograms_count_the_labels_file(run):
    # 30 questions of each pattern; entropies: 0; .5623; .6931; 3 b and 1 invalid also .5623
    assert counts(run, "Entropy, nats") == {"0.00": 30, "0.56": 60, "0.69": 30}
    assert counts(run, "Votes for the label") == {"2": 30, "3": 60, "4": 30}
    label = counts(run, "Label")
    assert label["alpha"] + label["beta"] == 120
    assert 60 <= label["alpha"] <= 90  # ties fall either way


def test_bars_of_one_histogram_add_up_and_those_of_several_combine(run):
    bar(run, "Entropy, nats", "0.00")
    assert status(run) == "30 of 120 questions"
    bar(run, "Entropy, nats", "0.56")
    assert status(run) == "90 of 120 questions"
    bar(run, "Label", "beta")
    assert status(run) == "30 of 120 questions"
    assert set(column(run, "Label")) == {"beta"}
    assert set(column(run, "Invalid")) == {"1"}


def test_a_bar_shows_what_choosing_it_would_bring(run):
    bar(run, "Entropy, nats", "0.00")
    assert counts(run, "Label") == {"alpha": 30, "beta": 0}
    assert counts(run, "Entropy, nats") == {"0.00": 30, "0.56": 60, "0.69": 30}  # its own choice does not narrow it


def test_choices_are_taken_back_one_by_one_by_histogram_and_all_at_once(run):
    bar(run, "Entropy, nats", "0.00")
    bar(run, "Entropy, nats", "0.00")
    assert status(run) == "120 of 120 questions"
    bar(run, "Entropy, nats", "0.00")
    bar(run, "Label", "beta")
    assert status(run) == "0 of 120 questions"
    assert "No question has all of this" in run("return document.querySelector('#answers-table tbody').innerText")
    run("document.querySelector('[aria-label=\"Clear Entropy, nats\"]').click()")
    assert status(run) != "0 of 120 questions"
    run("document.getElementById('f-reset').click()")
    assert status(run) == "120 of 120 questions"
    assert run("return document.getElementById('f-reset').disabled")


def test_everything_works_from_the_keyboard(run, page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    bar(run, "Entropy, nats", "0.00", "focus()")
    ActionChains(page).send_keys(Keys.ARROW_DOWN, Keys.ENTER).perform()
    assert status(run) == "60 of 120 questions"
    assert bar(run, "Entropy, nats", "0.56", 'getAttribute("aria-pressed")') == "true"
    ActionChains(page).send_keys(Keys.END, Keys.SPACE).perform()
    assert status(run) == "90 of 120 questions"
    assert run("return document.querySelectorAll('.histogram .bar[tabindex=\"0\"]').length") == 4  # one stop each
    assert run("return document.activeElement.getAttribute('aria-label')") == "0.69: 30 of 30 questions"
    run("document.querySelector('#answers-table button.open').focus()")
    ActionChains(page).send_keys(Keys.ENTER).perform()
    assert run("return document.querySelectorAll('#answers-table tr.detail').length") == 1
    run("document.querySelectorAll('#answers-table thead button')[1].focus()")
    ActionChains(page).send_keys(Keys.ENTER, Keys.ENTER).perform()  # the focus stays where it was
    assert run("return document.querySelectorAll('th')[1].getAttribute('aria-sort')") == "descending"


def test_a_row_opens_with_every_answer_and_its_prompt(run):
    search(run, "q000023")  # 23 mod 4 = 3: three beta and one not parsed
    run("document.querySelector('#answers-table button.open').click()")
    said = run("return [...document.querySelectorAll('tr.detail li')].map((li) => [li.className, li.innerText])")
    assert [cls for cls, _ in said] == ["agrees", "agrees", "agrees", "invalid"]
    assert said[0][1].splitlines() == ["beta", "wording 0, answer 0", "log-probability −0.50", "It is beta"]
    assert said[3][1].splitlines()[0] == "(not parsed)"
    assert said[1][1].splitlines()[-1] == "In other words: What is number 23?"
    run("document.querySelector('#answers-table button.open').click()")
    assert run("return document.querySelectorAll('tr.detail').length") == 0


def test_search_reads_ids_questions_and_answers_and_joins_the_bars(run):
    search(run, "number 11")
    assert status(run) == "11 of 120 questions"  # 11 and 110 to 119
    bar(run, "Votes for the label", "4")
    assert status(run) == "2 of 120 questions"  # 112 and 116
    search(run, "Q000116")
    assert status(run) == "1 of 120 questions"
    search(run, "IT IS BETA")
    run("document.querySelector('[aria-label=\"Clear Votes for the label\"]').click()")
    assert status(run) == "90 of 120 questions"


def test_a_click_sorts_up_and_a_second_one_down(run):
    for order in (1, -1):
        run("document.querySelectorAll('#answers-table thead button')[3].click()")
        assert column(run, "Entropy") == (
            ["0.00"] * 30 + ["0.56"] * 20 if order == 1 else ["0.69"] * 30 + ["0.56"] * 20
        )


def test_hostile_text_is_shown_and_never_run(run, page, hostile):
    for text in hostile.HOSTILE:
        search(run, text.split("\u2028")[0])
        shown = run('return [...document.querySelectorAll("#answers-table .clamp")].map((e) => e.textContent)')
        assert text in shown
        run("document.querySelector('#answers-table button.open').click()")
    assert run('return document.querySelectorAll("main script, main img").length') == 0
    assert run("return window.hacked === undefined")
    assert page.title == f"{hostile.HOSTILE[1]} · outgrow labels"


def test_saved_cells_cannot_become_formulas(run):
    search(run, "=cmd")
    run("window.saved = null; URL.createObjectURL = (blob) => { window.saved = blob; return 'data:,'; };")
    run("HTMLAnchorElement.prototype.click = () => {}; document.getElementById('f-save').click();")
    lines = run("return window.saved.text()").split("\r\n")
    assert lines[0] == '"example_id","question","label","votes","entropy","reliability","n_invalid"'
    assert len(lines) == 2
    assert "\"'=cmd" in lines[1]
    assert '"alpha: 2, beta: 2"' in lines[1]


def test_the_page_asks_for_nothing_else_and_the_console_stays_empty(run, page):
    assert run("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []
    assert page.get_log("browser") == []


@pytest.fixture
def crowd(driver, tmp_path):
    """A function that runs JavaScript on a page of a crowd with a spammer, and of an annotator with a hostile name."""
    made = simulate(Crowd(tasks=60, annotators=5, answers=4, spammers=1), 0).answers
    names = {"a00": "<img src=x onerror=hacked=1>"}
    source = pa.array([names.get(each, each) for each in made["source"].to_pylist()])
    answers = as_answers(made.set_column(1, "source", source))
    model = fit_annotators(answers)
    path = tmp_path / "crowd.html"
    write_explorer(model.posterior_table(), path, answers=answers, annotators=annotator_table(model))
    driver.get(path.as_uri())
    return driver.execute_script


def test_annotators_stand_flagged_first_and_can_be_filtered(crowd, driver):
    rows = "[...document.querySelectorAll('#annotator-table tbody tr')]"
    names = f"return {rows}.map((tr) => tr.querySelector('bdi').textContent)"
    assert len(crowd(names)) == 6
    assert crowd(names)[0] == "s00"
    assert "<img src=x onerror=hacked=1>" in crowd(names)
    assert crowd("return document.querySelector('#annotator-table tbody tr').innerText").endswith("spammer")
    crowd("const box = document.getElementById('a-show'); box.value = 'any'; box.dispatchEvent(new Event('change'));")
    assert crowd(names) == ["s00"]
    assert crowd("return document.getElementById('a-status').textContent") == "1 of 6 annotators"
    assert crowd("return window.hacked === undefined")
    assert driver.get_log("browser") == []


def test_an_annotator_opens_with_confusions_and_shows_the_questions(crowd):
    crowd("document.querySelector('#annotator-table button.open').click()")
    heat = crowd(
        "return [...document.querySelectorAll('.heat tr')].map((tr) => [...tr.children].map((c) => c.textContent))"
    )
    assert heat[0] == ["right ↓ called →", "a", "b", "c", "d"]
    assert [row[1] for row in heat[1:]] == ["100"] * 4 or all(int(row[1]) > 90 for row in heat[1:])  # says "a" always
    before = status(crowd)
    crowd("document.querySelector('#annotator-table .detail button').click()")
    assert "answered by s00" in crowd("return document.getElementById('answers-status').textContent")
    assert status(crowd) != before
    crowd("document.getElementById('f-reset').click()")
    assert status(crowd) == before


def test_the_least_reliable_question_comes_first_with_who_said_what(crowd):
    shown = [float(each) for each in column(crowd, "Reliability")]
    assert shown == sorted(shown)
    crowd("document.querySelector('#answers-table button.open').click()")
    said = crowd("return [...document.querySelectorAll('.said li .which')].map((each) => each.textContent)")
    assert len(said) >= 4
    assert all(not each.startswith("wording") for each in said)


def test_questions_are_kept_and_dropped_by_key_and_the_decisions_are_what_curate_takes(crowd, tmp_path):
    assert crowd("return document.getElementById('f-decisions').disabled")
    press = """const row = document.querySelectorAll("#answers-table tbody tr:not(.detail)")[arguments[0]];
    const target = row.contains(document.activeElement) ? document.activeElement : row.querySelector("button");
    target.focus();
    target.dispatchEvent(new KeyboardEvent("keydown", { key: arguments[1], bubbles: true }));
    return row.querySelector(".id").textContent;"""
    dropped = crowd(press, 0, "d")
    crowd(press, 0, "ArrowDown")
    assert crowd("return document.activeElement.closest('tr').querySelector('.id').textContent") != dropped
    kept = crowd(press, 1, "k")
    undone = crowd(press, 2, "d")
    assert crowd(press, 2, "u") == undone
    assert "2 decided by hand" in crowd("return document.getElementById('answers-status').textContent")
    crowd("window.saved = null; URL.createObjectURL = (blob) => { window.saved = blob; return 'data:,'; };")
    crowd("HTMLAnchorElement.prototype.click = () => {}; document.getElementById('f-decisions').click();")
    path = tmp_path / "decisions.csv"
    path.write_text(crowd("return window.saved.text()"), encoding="utf-8")
    decisions = dict(zip(*(read_decisions(path)[name].to_pylist() for name in ("example_id", "decision")), strict=True))
    assert decisions == {dropped: "drop", kept: "keep"}


@pytest.mark.slow
def test_a_hundred_thousand_questions_filter_search_and_sort_without_freezing(driver, tmp_path):
    n = 100_000
    labels = agreement(answers_of(n).select(["example_id", "source", "value"]), seed=0)
    path = write_explorer(labels, tmp_path / "many.html")
    driver.get(path.as_uri())
    run = driver.execute_script
    assert status(run) == "100,000 of 100,000 questions"
    assert run("return document.querySelectorAll('#answers-table tbody tr').length") == 50
    slowest = run(
        """const times = [];
        const time = (f) => { const t = performance.now(); f(); times.push(performance.now() - t); };
        time(() => document.querySelector(".histogram .bar").click());
        time(() => document.querySelectorAll("#answers-table thead button")[0].click());
        time(() => document.getElementById("p-last").click());
        time(() => document.getElementById("f-reset").click());
        return Math.max(...times);"""
    )
    assert slowest < 2000  # milliseconds; about 150 on an idle machine
    search(run, "q099999")
    time.sleep(1)
    assert status(run) == "1 of 100,000 questions"


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)])
def test_screenshots_are_written_and_nothing_sticks_out(driver, hostile, tmp_path, theme, width):
    where = Path(os.environ.get("OUTGROW_SCREENSHOTS") or tmp_path)
    where.mkdir(parents=True, exist_ok=True)
    answers = answers_of(N, hostile.HOSTILE)
    driver.get(write_explorer(agreement(answers, seed=0), tmp_path / "e.html", answers=answers).as_uri())
    run = driver.execute_script
    run("document.documentElement.dataset.theme = arguments[0]", theme)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    bar(run, "Entropy, nats", "0.56")
    run("document.querySelector('#answers-table button.open').click()")
    time.sleep(0.3)
    assert run("return document.documentElement.scrollWidth") <= width
    height = run("return Math.min(document.documentElement.scrollHeight, 3000)")
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = driver.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
    path = where / f"explore-{theme}-{width}.png"
    path.write_bytes(base64.b64decode(shot["data"]))
    assert path.stat().st_size > 1000
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
