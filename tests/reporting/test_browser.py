"""The report in headless Chromium: quiet console, a table that filters and sorts, text that stays text.

Screenshots go to the folder that OUTGROW_SCREENSHOTS names, else to pytest's temporary one.
"""

from __future__ import annotations

import base64
import os
import shutil
import time
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="Chromium and chromedriver are not installed (apt install chromium-driver)"
)
OPTIONS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1440,900"
)


@pytest.fixture(scope="module")
def browser(report, tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in [*OPTIONS.split(), f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(DRIVER)  # a given path: selenium looks for nothing and fetches nothing
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.command_executor.client_config.timeout = 600
        driver.set_page_load_timeout(600)
        driver.set_script_timeout(600)
        driver.get((report / "report.html").as_uri())
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def run(browser):
    """Run JavaScript on the page with every filter reset and one column of each kind shown."""
    browser.execute_script("document.getElementById('f-reset').click()")
    return browser.execute_script


@pytest.fixture(scope="module")
def answers(report):
    return pq.read_table(report / "answers.parquet")


def choose(run, control, label):
    run(
        """const select = document.getElementById(arguments[0]);
        select.value = [...select.options].find((o) => o.textContent === arguments[1]).value;
        select.dispatchEvent(new Event("input"));""",
        control,
        label,
    )


def search(run, text):
    run(
        """const box = document.getElementById("f-text"); box.value = arguments[0];
        box.dispatchEvent(new Event("input"));""",
        text,
    )


def status(run):
    return run("return document.getElementById('answers-status').textContent")


def column(run, title):
    """The texts of one column on the page that is shown."""
    return run(
        """const heads = [...document.querySelectorAll("#answers-table thead tr:first-child th")];
        const at = heads.findIndex((th) => th.textContent === arguments[0]);
        return [...document.querySelectorAll("#answers-table tbody tr")].map((tr) => tr.children[at].textContent);""",
        title,
    )


def sort_by(run, title):
    run(
        """[...document.querySelectorAll("#answers-table thead button")]
        .find((b) => b.textContent === arguments[0]).click();""",
        title,
    )


def test_the_table_opens_with_every_row_in_pages_of_fifty(run):
    assert status(run) == "120 of 120 rows, 40 of 40 questions"
    assert len(column(run, "Seed")) == 50
    run("document.getElementById('p-last').click()")
    assert len(column(run, "Seed")) == 20
    assert run("return document.getElementById('p-where').textContent") == "Page 3 of 3"


def test_search_finds_a_question_in_every_seed(run):
    search(run, "TESMAR-14 ")
    assert status(run) == "3 of 120 rows, 1 of 40 questions"
    assert sorted(column(run, "Seed")) == ["0", "1", "2"]


def test_search_finds_markup_as_text(run, hostile):
    search(run, hostile.HOSTILE[1])
    assert status(run).endswith("of 40 questions")
    assert not status(run).startswith("0 ")


def test_filters_by_kind_and_seed_count_as_the_file_does(run, answers):
    choose(run, "f-stratum", "ignorance")
    choose(run, "f-seed", "1")
    mine = pc.and_(pc.equal(answers["stratum"], "ignorance"), pc.equal(answers["seed"], 1))
    n = answers.filter(mine).num_rows
    assert n > 0
    assert status(run) == f"{n} of 120 rows, {n} of 40 questions"
    assert set(column(run, "Kind")) == {"ignorance"}


def test_two_conditions_find_where_the_supervisor_is_wrong_and_the_ceiling_right(run, answers):
    for n, who, what in (("1", "supervisor", "wrong"), ("2", "strong_ceiling", "right")):
        choose(run, f"f-who{n}", who)
        choose(run, f"f-is{n}", what)
    wrong = pc.not_equal(answers["supervisor_value"], answers["gold"])
    right = pc.equal(answers["arm:strong_ceiling"], answers["gold"])
    n = answers.filter(pc.and_(wrong, right)).num_rows
    assert n > 0
    assert status(run).startswith(f"{n} of 120 rows")


def test_the_first_row_is_the_accuracy_of_the_selection(run, answers):
    shares = run(
        """const heads = [...document.querySelectorAll("#answers-table thead tr:first-child th")];
        const sums = document.querySelector("#answers-table tr.sums").children;
        return sums[heads.findIndex((th) => th.textContent === "strong_ceiling")].textContent;"""
    )
    right = pc.sum(pc.cast(pc.equal(answers["arm:strong_ceiling"], answers["gold"]), "int64")).as_py()
    assert shares == f"{100 * right / 120:.1f} %"


def test_a_click_sorts_up_and_a_second_one_down(run, answers):
    values = sorted(answers["reliability"].to_pylist())
    sort_by(run, "Reliability")
    assert column(run, "Reliability") == [f"{value:.2f}" for value in values[:50]]
    sort_by(run, "Reliability")
    assert column(run, "Reliability") == [f"{value:.2f}" for value in values[::-1][:50]]
    states = run(
        """return [...document.querySelectorAll("#answers-table [aria-sort]")]
        .map((th) => th.getAttribute("aria-sort"))"""
    )
    assert states.count("descending") == 1
    assert states.count("none") == len(states) - 1


def test_a_column_can_be_shown_and_hidden(run):
    toggle = """[...document.querySelectorAll("#f-columns label")]
        .find((l) => l.textContent === "zero-shot").querySelector("input").click()"""
    has = """return [...document.querySelectorAll("#answers-table thead button")]
        .some((b) => b.textContent === "zero-shot")"""
    assert not run(has)
    run(toggle)
    assert run(has)


def test_hostile_text_is_shown_and_never_run(run, browser, hostile):
    for text in hostile.HOSTILE:
        search(run, text.split("\u2028")[0])
        shown = run('return [...document.querySelectorAll("#answers-table td.q .clamp")].map((e) => e.textContent)')
        assert text in shown
    assert run('return document.querySelectorAll("#answers-table script, #answers-table img, main img").length') == 0
    assert run("return window.hacked === undefined")
    assert browser.title.startswith(hostile.HOSTILE[0])


def test_saved_cells_cannot_become_formulas(run):
    search(run, "=cmd")
    run("window.saved = null; URL.createObjectURL = (blob) => { window.saved = blob; return 'data:,'; };")
    run("HTMLAnchorElement.prototype.click = () => {}; document.getElementById('f-save').click();")
    text = run("return window.saved.text()")
    lines = text.split("\r\n")
    assert lines[0].startswith('"example_id","question"')
    assert len(lines) > 1
    assert "\"'=cmd" in text
    assert '"=' not in text


def test_the_theme_switches(run):
    colour = "return getComputedStyle(document.body).backgroundColor"
    before = run(colour)
    run("document.getElementById('theme').click()")
    assert run(colour) != before
    run("document.getElementById('theme').click()")
    assert run(colour) == before


def test_the_page_asks_for_nothing_else_and_the_console_stays_empty(run, browser):
    run("window.scrollTo(0, document.body.scrollHeight)")
    assert run("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []
    assert browser.get_log("browser") == []


@pytest.fixture
def screen(browser):
    """Sets the size of the window for one test."""

    def resize(width, height):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        time.sleep(0.3)

    yield resize
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


BOTTOM = "return document.querySelector(arguments[0]).getBoundingClientRect().bottom + scrollY"


def test_the_message_and_the_first_figure_stand_above_the_fold(run, screen, report):
    screen(1280, 800)
    run("window.scrollTo(0, 0)")
    message = run("return document.querySelector('.message').textContent")
    assert message.startswith("The primary comparison, uncertainty_filtering against random_filtering, is +")
    assert run("return document.querySelector('main section p').className") == "message"
    assert run(BOTTOM, ".message") < run(BOTTOM, ".tiles") < run(BOTTOM, "figure svg") <= 800
    assert run("return document.querySelector('figure').id") == "figure-arms"


def test_checks_are_folded_unless_they_fired(run):
    open_ones = run("return [...document.querySelectorAll('details.check')].map((d) => [d.className, d.open])")
    assert len(open_ones) >= 11
    fired = [name for name, is_open in open_ones if is_open]
    assert all(name.split()[1] in ("warning", "note", "error") for name in fired)
    assert run("return document.querySelectorAll('#checks > details').length") == 1
    assert not run("return document.querySelector('#checks > details').open")
    inside = "return document.querySelectorAll('#checks > details details.check').length"
    assert run(inside) == len(open_ones) - len(fired)
    assert run("return document.querySelector('#checks > details > summary').textContent").startswith(
        f"{len(open_ones) - len(fired)} checks that did not fire"
    )


def test_at_400_columns_the_page_does_not_scroll_sideways_but_tables_do(run, screen):
    screen(400, 900)
    assert run("return document.documentElement.scrollWidth") <= 400
    wide = run(
        """return [...document.querySelectorAll(".scroll")].filter((e) => e.scrollWidth > e.clientWidth)
        .map((e) => [getComputedStyle(e).overflowX, e.getBoundingClientRect().right])"""
    )
    assert wide
    assert all(how == "auto" and right <= 400 for how, right in wide)
    small = "return [...document.querySelectorAll('main p')].map((p) => parseFloat(getComputedStyle(p).fontSize))"
    assert min(run(small)) >= 12


def test_the_run_took_one_time_and_everything_else_is_called_work(run):
    text = run("return document.getElementById('provenance').textContent")
    assert text.count("7 min 12 s") == 2  # the fact, and the caption that says so again
    assert "on the clock the run took 7 min 12 s" in text
    heads = run("return [...document.querySelectorAll('#table-time thead th')].map((th) => th.textContent)")
    assert heads == ["Step", "Made now", "From the store", "Work now", "Share", "Work in all"]


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 1440), ("light", 390)])
def test_screenshots_are_written_and_nothing_sticks_out(run, browser, tmp_path, theme, width):
    where = Path(os.environ.get("OUTGROW_SCREENSHOTS") or tmp_path)
    where.mkdir(parents=True, exist_ok=True)
    run("document.documentElement.dataset.theme = arguments[0]", theme)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    run("window.scrollTo(0, 0)")
    time.sleep(0.3)
    assert run("return document.documentElement.scrollWidth") <= width
    for name in ["top", *run("return [...document.querySelectorAll('main section')].map((s) => s.id)")]:
        place = run(
            """const e = document.getElementById(arguments[0]); const r = e && e.getBoundingClientRect();
            return e ? [r.y + scrollY, r.height] : [0, 900];""",
            name,
        )
        clip = {"x": 0, "y": place[0], "width": width, "height": min(place[1], 3000), "scale": 1}
        shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip, "captureBeyondViewport": True})
        path = where / f"report-{theme}-{width}-{name}.png"
        path.write_bytes(base64.b64decode(shot["data"]))
        assert path.stat().st_size > 1000
