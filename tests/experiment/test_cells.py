"""Where the files of a cell lie: a folder whose name every file system takes, and no other cell has."""

from outgrow.experiment.cells import cell_folder, cells_of, models_of
from outgrow.recipe.recipe import parse_recipe


def test_the_only_cell_has_no_folder_of_its_own_and_others_are_called_by_name():
    assert cell_folder("") == ""
    assert cell_folder("mini + nano to base") == "cells/mini-+-nano-to-base/"


def test_long_names_are_cut_and_stay_apart():
    names = [f"{' + '.join(['s' * 100] * 4)} to {student}" for student in ("a", "b")]
    folders = [cell_folder(name).removeprefix("cells/").rstrip("/") for name in names]
    assert folders[0] != folders[1]
    assert [len(folder) for folder in folders] == [193, 193]


def test_models_of_a_cell_are_between_its_supervisor_and_its_student_in_size():
    ladder = [f"microworld2/{name}" for name in ("nano", "mini-a", "small", "base")]
    raw = {
        "task": {"kind": "microworld2", "family": "choice"},
        "supervisors": [{"model": model, "train": None} for model in ladder[:3]],
        "students": [{"model": model} for model in ladder[1:]],
        "models": [{"model": ladder[1]}, {"model": ladder[2]}],
        "methods": ["bootstrapping"],
        "grid": "smaller",
    }
    recipe = parse_recipe(raw)
    between = {cell.name: models_of(recipe, cell) for cell in cells_of(recipe)}
    assert between == {
        "nano to mini-a": (), "nano to small": (0,), "nano to base": (0, 1),
        "mini-a to small": (), "mini-a to base": (1,), "small to base": (),
    }  # fmt: skip
    together = parse_recipe({**raw, "grid": "together"})
    assert all(models_of(together, cell) == (0, 1) for cell in cells_of(together))
