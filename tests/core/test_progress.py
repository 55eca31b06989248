"""What a person sees of a long step, on a terminal, in a log file and from worker processes."""

import io
import math
from contextlib import contextmanager
from dataclasses import replace

import pytest
from rich.console import Console

from outgrow.core.events import Event, duration, seldom
from outgrow.core.progress import Progress


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def stream(tmp_path):
    with (tmp_path / "log.txt").open("w+") as file:
        yield file


class Work:
    """A step that tells a sink what it has done."""

    def __init__(self, sink, label, total):
        self.sink, self.event = sink, Event(f"a {label}", label, 0, total)
        sink(self.event)

    def advance(self, units=1, note=None):
        note = self.event.note if note is None else note
        self.event = replace(self.event, done=self.event.done + units, note=note)
        self.sink(self.event)


@contextmanager
def step(sink, label, total=None):
    """A step that is closed at the end, whatever happens."""
    work = Work(sink, label, total)
    try:
        yield work
    finally:
        sink(replace(work.event, closed=True))


def lines(stream):
    stream.flush()
    stream.seek(0)
    return stream.read().splitlines()


def test_plain_lines_are_rate_limited_and_tell_the_time_left(stream):
    clock = Clock()
    progress = Progress(stream, live=False, every=5, clock=clock)
    with progress, step(progress, "answers", total=100) as answers:
        for _ in range(9):
            clock.now += 1
            answers.advance(10, note="loss 0.5")
    # at 5 s: 50 of 100 in 5 s -> 5 s left; the next line would be due at 10 s; closed at 9 s
    assert lines(stream) == [
        "answers: 50/100 (50%), 5 s left, loss 0.5",
        "answers: 90/100 (90%), ended after 9 s, loss 0.5",
    ]


def test_a_resumed_step_counts_only_its_own_speed(stream):
    clock = Clock()
    progress = Progress(stream, live=False, every=5, clock=clock)
    progress(Event("k", "train", 80, 100))
    clock.now += 10
    progress(Event("k", "train", 90, 100))
    # 10 units in 10 s, 10 to go; by all 90 units it would be about 1 s
    assert lines(stream) == ["train: 90/100 (90%), 10 s left"]


def test_a_row_that_counts_something_else_by_now_begins_its_speed_anew(stream):
    clock = Clock()
    progress = Progress(stream, live=False, every=5, clock=clock)
    progress(Event("k", "job: reading", 0, 10))
    clock.now += 1
    progress(Event("k", "job: training", 0, 100))
    clock.now += 10
    progress(Event("k", "job: training", 20, 100))
    clock.now += 1
    progress(Event("k", "job", 0, closed=True))
    # 20 in 10 s, 80 to go; the row has been there for 12 s
    assert lines(stream) == ["job: training: 20/100 (20%), 40 s left", "job, ended after 12 s"]


def test_of_many_steps_each_has_its_turn_and_the_whole_is_told_as_often_as_all_of_them(stream):
    clock = Clock()
    progress = Progress(stream, live=False, every=5, clock=clock)
    for second in range(41):
        for key in "abcd":
            progress(Event(key, key, second, 1000))
        progress(Event("all", "jobs", second, 1000, overall=True, left=7))
        clock.now += 1
    said = lines(stream)
    assert [line.partition(":")[0] for line in said].count("jobs") == 8  # every 5 s of 40
    assert all([line.partition(":")[0] for line in said].count(key) == 2 for key in "abcd")  # every 4 x 5 s
    assert "jobs: 5/1,000 (0%), 7 s left" in said  # as the sender says, not by its speed


def test_a_long_wait_is_told_once_a_minute(stream):
    clock = Clock()
    progress = Progress(stream, live=False, every=5, clock=clock)
    for _ in range(126):
        progress(Event("all", "jobs", 1, 4, "1 running", overall=True, left=math.nan))
        clock.now += 1
    assert lines(stream) == ["jobs: 1/4 (25%), 1 running"] * 3  # after 5, 65 and 125 s


def test_a_line_that_is_said_stays(stream):
    for live in (False, True):
        with Progress(stream, live=live) as progress:
            progress(Event("k", "row", 0, 1))
            progress.say("failed: [naive]")
    assert lines(stream).count("failed: [naive]") == 2


def test_a_short_step_prints_nothing(stream):
    progress = Progress(stream, live=False, every=5, clock=Clock())
    with progress, step(progress, "quick", total=3) as quick:
        quick.advance(3)
    assert lines(stream) == []


def test_a_step_without_a_known_total_shows_what_is_done(stream):
    clock = Clock()
    progress = Progress(stream, live=False, every=5, clock=clock)
    with progress, step(progress, "reading") as reading:
        clock.now += 6
        reading.advance(1200)
    assert lines(stream)[0] == "reading: 1,200"


def test_a_step_is_closed_when_its_work_fails():
    events = []
    with pytest.raises(ZeroDivisionError), step(events.append, "work", total=2):
        raise ZeroDivisionError
    assert events[-1].closed


@pytest.fixture
def screen(monkeypatch):
    """The lines that the live display shows on a terminal of so many columns."""

    def look(progress, columns):
        bars = progress._display._bars
        bars.console.width = columns
        shown = Console(file=io.StringIO(), width=columns)
        shown.print(bars.get_renderable())
        return [line.rstrip() for line in shown.file.getvalue().splitlines()]

    return look


def test_the_live_display_shows_label_count_and_time_left(stream, screen):
    progress = Progress(stream, live=True)
    with progress:
        progress(Event("k", "answers [1]", 4, 10, "[x]", left=65))
        assert screen(progress, 120) == ["━━━━       answers [1]: 4/10 (40%), 1 min 5 s left, [x]"]
        progress(Event("k", "other [x]", 1, None, left=65))
        assert screen(progress, 120)[0].endswith(" other [x]: 1")
        progress(Event("k", "other [x]", 1, None, closed=True))
        assert progress._display._bars.tasks == []


def test_80_columns_show_what_is_done_how_far_and_the_time_left(stream, screen):
    progress = Progress(stream, live=True)
    with progress:
        stages = "supervisors 5/5, arms 37/55, 2 running, 16 waiting"
        progress(Event("jobs", "jobs", 42, 60, stages, left=3725, overall=True))
        long = "seed 12: uncertainty_filtering keep=0.25,stratify=label: training 12"
        progress(Event("job", long, 12_345, 67_890, "loss 0.123", left=7384))
        seen = screen(progress, 80)
    assert seen == [
        "━━━━━━━    jobs: 42/60 (70%), 1 h 2 min left",
        f"             {stages}",
        "━╸         seed 12: uncert…el: training 12: 12,345/67,890 (18%), 2 h 3 min left",
        "             loss 0.123",
    ]
    assert max(map(len, seen)) <= 80


def test_control_characters_of_labels_and_notes_are_shown_not_obeyed(stream, screen):
    hostile = "a\x1b[31m\x9b\u202e\rb"
    plain = "a\\x1b[31m\\x9b\\u202e\\rb"
    clock = Clock()
    progress = Progress(stream, live=False, every=5, clock=clock)
    progress(Event("k", hostile, 0, 2))
    clock.now += 6
    progress(Event("k", hostile, 1, 2, hostile, left=1))
    progress.say(f"failed: {hostile}\nsecond line")
    assert lines(stream) == [f"{plain}: 1/2 (50%), 1 s left, {plain}", f"failed: {plain}", "second line"]
    live = Progress(stream, live=True)
    with live:
        live(Event("k", hostile, 1, 2, hostile, left=1))
        assert screen(live, 120) == [f"━━━━━      {plain}: 1/2 (50%), 1 s left, {plain}"]


def test_a_stream_that_is_no_terminal_gets_plain_lines(stream):
    progress = Progress(stream)
    assert type(progress._display).__name__ == "Lines"


def test_a_rare_sink_always_sends_the_first_and_the_last():
    clock, sent = Clock(), []
    sink = seldom(sent.append, every=1.0, clock=clock)
    with step(sink, "w", total=3) as work:
        work.advance()
        clock.now += 1
        work.advance()
        work.advance()
    assert [(e.done, e.closed) for e in sent] == [(0, False), (2, False), (3, True)]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (125, "2 min 5 s"), (3780, "1 h 3 min"), (59.6, "1 min 0 s")]
)
def test_durations_read_like_words(seconds, words):
    assert duration(seconds) == words
