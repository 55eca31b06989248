"""The command line: verbs, exit codes, messages instead of tracebacks, and nothing heavy behind --help."""

import json
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

import outgrow
from outgrow.core.errors import ConfigError, DataError, OutgrowError, TrainingError
from outgrow.store import StoreWarning

HEAVY = ("torch", "transformers", "matplotlib", "sklearn", "scipy", "pyarrow", "numpy")


def fresh(*arguments):
    """Runs Python anew, as a user would."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=False)


HELP = """
import sys
sys.argv = ["outgrow", "--help"]
from outgrow.__main__ import main
try:
    main()
except SystemExit:
    pass
"""


@pytest.mark.parametrize("code", ["import outgrow", HELP])
def test_help_and_import_load_nothing_heavy(code):
    found = fresh("-c", f"{code}\nimport sys\nprint('LOADED', [m for m in {HEAVY} if m in sys.modules])")
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == "LOADED []"


def test_python_dash_m_works_and_gives_the_version():
    found = fresh("-m", "outgrow", "--version")
    assert (found.returncode, found.stdout) == (0, f"outgrow {outgrow.__version__}\n")


def test_help_lists_every_verb(cli):
    found = cli("--help")
    assert found.code == 0
    for verb in (
        "run",
        "plan",
        "label",
        "report",
        "export",
        "reliability",
        "curate",
        "pairs",
        "score",
        "explore",
        "show",
        "recipes",
        "schema",
        "tasks",
        "methods",
        "objectives",
        "supervisors",
        "status",
        "doctor",
        "microworld",
    ):
        assert f"\n  {verb} " in found.out


@pytest.mark.parametrize("arguments", [["nosuchverb"], ["run", "--nosuch"], ["run", "--jobs", "0"], ["report"]])
def test_wrong_usage_exits_with_2(cli, arguments):
    found = cli(*arguments)
    assert found.code == 2
    assert "Traceback" not in found.err


@pytest.mark.parametrize(("error", "code"), [(OutgrowError, 1), (TrainingError, 1), (ConfigError, 2), (DataError, 2)])
def test_an_error_is_a_message_on_stderr_with_its_exit_code(cli, monkeypatch, error, code):
    def fail(*_, **__):
        raise error("row [red]3[/red] of '/a/b' is wrong")

    monkeypatch.setattr("outgrow.recipe.recipe.load_recipe", fail)
    found = cli("run")
    assert found.code == code
    assert found.err.strip() == "error: row [red]3[/red] of '/a/b' is wrong"  # markup is shown, not obeyed
    assert found.out == ""


def test_a_bug_keeps_its_traceback(cli, monkeypatch):
    monkeypatch.setattr("outgrow.recipe.recipe.load_recipe", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli("run")


# run ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "a=b.yaml"
    path.write_text(
        "task: {kind: table, path: data.csv, text: t, label: l}\nsupervisors: [{model: minilm}]\n"
        "student: {model: minilm}\nmethods: [naive]\n"
    )
    return path


def test_run_reads_recipe_and_overrides_and_prints_table_and_report(cli, monkeypatch, tmp_path, recipe_file):
    seen = {}

    def run_recipe(recipe, **options):
        seen.update(options, recipe=recipe)
        return SimpleNamespace(folder=tmp_path / "made", results={"n": 1})

    monkeypatch.setattr("outgrow.execution.run.run_recipe", run_recipe)
    monkeypatch.setattr("outgrow.reporting.summary_table", lambda results, width: f"TABLE {results['n']}")
    monkeypatch.setattr(
        "outgrow.reporting.write_report", lambda folder, keep: SimpleNamespace(html=folder / "report.html")
    )
    found = cli("run", recipe_file, "seeds=[3,4]", "--store", tmp_path / "s", "--jobs", "2", "data_dir=/d")
    assert found.code == 0, found.err
    assert found.out.splitlines() == ["TABLE 1", f"report: {tmp_path / 'made' / 'report.html'}"]
    assert (seen["recipe"].seeds, seen["recipe"].data_dir) == ((3, 4), "/d")
    assert (seen["store"], seen["out"], seen["jobs"]) == (str(tmp_path / "s"), None, 2)
    assert seen["command"][:2] == ["outgrow", "run"]


def test_run_without_a_recipe_takes_the_demo(cli, monkeypatch):
    monkeypatch.setattr("outgrow.cli.run._dry", lambda recipe: print(recipe.name, recipe.seeds))
    assert cli("run", "--dry").out == "demo (0, 1, 2, 3, 4)\n"
    assert cli("run", "seeds=[9]", "--dry").out == "demo (9,)\n"


def test_faults_of_a_recipe_are_told_at_once_with_exit_code_2(cli, recipe_file):
    found = cli("run", recipe_file, "methods=[naiv]", "sedes=[1]")
    assert found.code == 2
    assert "has 2 errors:" in found.err
    assert "did you mean 'naive'?" in found.err
    assert "did you mean 'seeds'?" in found.err


def test_a_missing_recipe_is_told_with_exit_code_2(cli):
    found = cli("run", "nowhere.yaml")
    assert found.code == 2
    assert "recipe 'nowhere.yaml' does not exist" in found.err
    assert (
        "did you mean 'demo'? give the path of a YAML file, or one that ships: claims, crowd, deception, delta, "
        in cli("run", "dmo").err
    )


HOSTILE = "a\x1b[31m\x9b\u202e\rb"
SHOWN = "a\\x1b[31m\\x9b\\u202e\\rb"


def test_control_characters_reach_no_terminal(cli, capsys, monkeypatch, tmp_path):
    """In errors, warnings, notes and tables; text of other scripts and line breaks of messages stay."""
    from outgrow.core.terminal import line, plain_table, show, visible

    def fail(*_, **__):
        warnings.warn(HOSTILE, StoreWarning, stacklevel=2)
        raise DataError(f"{HOSTILE}\nsecond line")

    monkeypatch.setattr("outgrow.recipe.recipe.load_recipe", fail)
    told = lambda *of: print(warnings.formatwarning(*of[:4]), file=sys.stderr)  # noqa: E731
    monkeypatch.setattr(warnings, "showwarning", told)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        found = cli("run")
    assert found.err.splitlines() == [f"StoreWarning: {SHOWN}", "", f"error: {SHOWN}", "second line"]
    rows = [{"example_id": "q", "value": value, HOSTILE: 1} for value in ("x", HOSTILE)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = cli("reliability", tmp_path / "a.jsonl", "--out", tmp_path / "l.jsonl").out
    assert f"note: columns not used: {SHOWN}" in out
    (tmp_path / "rows.jsonl").write_text(json.dumps({"row_id": HOSTILE, "prompt": "p", "target": "t"}) + "\n")
    assert f"{SHOWN}: weight 1" in cli("show", tmp_path / "rows.jsonl", "--row", "0").out
    assert visible("日本語 \u00a0مرحبا é") == "日本語 \u00a0مرحبا é"
    assert visible("x" * 70, 60) == "x" * 59 + "…"
    table = plain_table("a")
    table.add_row(f"[red]{HOSTILE}")
    show(table)
    line(f":smile: [red]{HOSTILE}")
    assert capsys.readouterr().out.split() == ["a", f"[red]{SHOWN}", ":smile:", f"[red]{SHOWN}"]


def test_no_module_but_one_prints_what_it_is_given():
    """Consoles, tables and echoes of text of any origin are made in `core.terminal`."""
    source = Path(outgrow.__file__).parent
    makers = ("Console(", "typer.echo(", "rich.markup", "rich.table", "sys.stderr.write", "sys.stdout.write")
    found = {
        (str(path.relative_to(source)), maker)
        for path in source.rglob("*.py")
        for maker in makers
        if maker in path.read_text(encoding="utf-8")
    }
    found -= {("core/terminal.py", maker) for maker in makers}
    assert found == {
        ("cli/app.py", "typer.echo("),  # the version
        ("cli/plan.py", "typer.echo("),  # JSON
        ("cli/schema.py", "typer.echo("),  # JSON
        ("cli/score.py", "typer.echo("),  # JSON
        ("core/progress_display.py", "Console("),  # tested with its display
        ("experiment/planning/show.py", "Console("),  # into text
        ("reporting/result.py", "Console("),  # into text
        ("reporting/result.py", "rich.table"),  # the type
        ("reporting/terminal.py", "rich.table"),  # the type
    }


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_device_is_one_message():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run(
            [sys.executable, "-m", "outgrow", "methods"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (ended.returncode, ended.stderr) == (1, "error: the output: No space left on device\n")


LONG = "n" * 300


def test_names_too_long_for_files_are_one_message_and_nothing_is_left(cli, monkeypatch, tmp_path, recipe_file):
    monkeypatch.chdir(tmp_path)
    answers = tmp_path / "a.jsonl"
    answers.write_text('{"example_id": "q", "value": "x"}\n{"example_id": "q", "value": "y"}\n')
    before = sorted(path.name for path in tmp_path.iterdir())
    for arguments in (
        ["reliability", answers, "--out", f"{LONG}.jsonl"],
        ["curate", answers, "--method", "majority_vote", "--out", f"{LONG}.jsonl"],
        ["reliability", f"{LONG}.jsonl", "--out", "l.jsonl"],
        ["status", LONG],
        ["run", f"{LONG}.yaml"],
        ["run", "demo", "--dry", "name=" + LONG],
        ["report", LONG],
        ["show", f"{LONG}.jsonl"],
    ):
        found = cli(*arguments)
        assert found.code in (1, 2), arguments
        assert found.err.startswith("error: "), found.err
        assert "Traceback" not in found.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_name_as_long_as_the_file_system_allows_is_written(cli, tmp_path):
    answers, out = tmp_path / "a.jsonl", tmp_path / ("n" * 249 + ".jsonl")
    answers.write_text('{"example_id": "q", "value": "x"}\n{"example_id": "q", "value": "y"}\n')
    assert cli("reliability", answers, "--out", out).code == 0
    assert out.read_text().count("\n") == 1


def test_a_first_override_may_be_longer_than_a_file_name(cli, monkeypatch):
    monkeypatch.setattr("outgrow.cli.run._dry", lambda recipe: print(len(recipe.methods)))
    methods = ", ".join(f"{{name: naive, id: {'x' * 50}{i}}}" for i in range(9))
    assert cli("run", f"methods=[{methods}]", "primary=null", "--dry").out == "9\n"


def test_a_run_folder_that_cannot_be_made_is_told_before_anything_is_trained(tmp_path):
    from outgrow.execution.run import run_recipe
    from outgrow.recipe.recipe import load_recipe

    (tmp_path / "file").touch()
    for folder, why in ((tmp_path / LONG, "File name too long"), (tmp_path / "file", "File exists")):
        with pytest.raises(DataError, match=f"the folder .* cannot be made: {why}; choose another"):
            run_recipe(load_recipe(), store=tmp_path / "store", out=folder)
    assert not (tmp_path / "store").exists() or not list((tmp_path / "store").iterdir())


# Lists ----------------------------------------------------------------------------------------------------------


def test_tasks_lists_kinds_and_the_options_of_one(cli):
    assert "microworld" in cli("tasks").out
    assert "column of the gold answer" in cli("tasks", "table").out
    assert "outgrow" in cli("tasks").out.splitlines()[1].split()  # where it is from
    found = cli("tasks", "tabel")
    assert found.code == 2
    assert "did you mean 'table'?" in found.err


def test_methods_lists_all_with_their_role_and_the_settings_of_one(cli):
    from outgrow.methods import METHODS

    lines = {line.split()[0]: line for line in cli("methods").out.splitlines()[1:]}
    assert set(lines) == set(METHODS)
    assert "uses gold" in lines["strong_ceiling"]
    assert "uses gold" not in lines["naive"]
    assert "share of the questions" in cli("methods", "uncertainty_filtering").out
    assert "no settings" in cli("methods", "naive").out
    assert "did you mean 'naive'?" in cli("methods", "niave").err


def test_doctor_shows_versions_extras_and_the_machine(cli, monkeypatch):
    monkeypatch.setattr("outgrow.models.doctor.broken", lambda modules: {})
    out = cli("doctor").out
    for word in ("outgrow", "python", "cores", "disk", "core", "extra train", "numpy", "models"):
        assert word in out


def test_a_plugin_that_fails_is_one_message_for_every_verb_that_takes_one(cli, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("1 / 0\n")
    for verb in (["run", "demo", "--dry"], ["plan"], ["label", "--out", "a.csv"], ["methods"], ["tasks"], ["schema"]):
        found = cli(*verb, "--plugin", path)
        assert (found.code, found.out) == (2, "")
        assert found.err == f"error: plugin '{path}' cannot be loaded: ZeroDivisionError: division by zero (line 1)\n"


# Labels without training ----------------------------------------------------------------------------------------


def test_reliability_and_curate_are_verbs(cli, tmp_path):
    answers = tmp_path / "answers.jsonl"
    votes = {"q1": "aaa", "q2": "aab"}
    rows = [{"example_id": q, "value": v, "prompt": f"ask {q}"} for q, said in votes.items() for v in said]
    answers.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert cli("reliability", answers, "--out", tmp_path / "labels.jsonl").code == 0
    labels = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert {label["example_id"]: label["vote_share"] for label in labels} == {"q1": 1.0, "q2": pytest.approx(2 / 3)}
    assert cli("curate", answers, "--keep", "0.5", "--out", tmp_path / "train.jsonl").code == 0
    kept = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [(row["example_id"], row["target"]) for row in kept] == [("q1", "a")]


# show -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_model(tmp_path):
    """A tokenizer of whole words with an end token, in a model folder."""
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    words = {"</s>": 0, "wake": 1, "me": 2, "alarm": 3, "[UNK]": 4}
    model = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    model.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    folder = tmp_path / "tiny"
    transformers.PreTrainedTokenizerFast(tokenizer_object=model, eos_token="</s>").save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    return folder


def test_show_prints_tokens_mask_and_weight_of_a_row(cli, tmp_path, tiny_model):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"row_id": "r1", "prompt": "wake me", "target": "alarm", "weight": 0.5}\n')
    found = cli("show", rows, "--model", tiny_model, "--row", "r1")
    assert found.code == 0, found.err
    lines = [line.split() for line in found.out.splitlines()]
    assert lines[0] == ["r1:", "weight", "0.5,", "target", "'alarm'"]
    # two target tokens (the word and the end) share the row's loss: 0.5 * 1/2 each
    assert lines[2:] == [
        ["0", "1", "'wake'", "0"],
        ["1", "2", "'me'", "0"],
        ["2", "3", "'alarm'", "yes", "0.2500"],
        ["3", "0", "'</s>'", "yes", "0.2500"],
    ]


def test_show_names_rows_that_are_not_there_or_have_no_prompt(cli, tmp_path, tiny_model):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"row_id": "r1", "prompt": null, "target": "alarm"}\n')
    found = cli("show", rows, "--model", tiny_model, "--row", "r2")
    assert found.code == 2
    assert "no row 'r2'" in found.err
    assert "has no prompt" in cli("show", rows, "--model", tiny_model).err
    rows.write_text('{"prompt": "a", "completion": " b"}\n')  # as TRL reads it
    assert "row 0 has neither a target nor probabilities" in cli("show", rows, "--model", tiny_model).err


# microworld -----------------------------------------------------------------------------------------------------


def test_microworld_shows_facts_and_questions(cli):
    entity = cli("microworld", "facts", "--count", "1").out.splitlines()[1].split()[0]
    assert cli("microworld", "facts", entity).out.count(entity) >= 4
    found = cli("microworld", "sample", "family=claim", "questions={pool: 8, validation: 4, test: 8}", "--count", "2")
    assert found.code == 0, found.err
    assert found.out.count("gold: ") == 2
    reports = cli(
        "microworld", "sample", "family=conflict", "answer=content", "--kind", "microworld2", "--count", "1"
    ).out.splitlines()
    assert reports[3].removeprefix("gold: ") in reports[2].removeprefix("options: ").split(" | ")
    assert cli("microworld", "sample", "--split", "pol").code == 2
