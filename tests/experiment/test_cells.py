"""Where the files of a cell lie: a folder whose name every file system takes, and no other cell has."""

from outgrow.experiment.cells import cell_folder


def test_the_only_cell_has_no_folder_of_its_own_and_others_are_called_by_name():
    assert cell_folder("") == ""
    assert cell_folder("mini + nano to base") == "cells/mini-+-nano-to-base/"


def test_long_names_are_cut_and_stay_apart():
    names = [f"{' + '.join(['s' * 100] * 4)} to {student}" for student in ("a", "b")]
    folders = [cell_folder(name).removeprefix("cells/").rstrip("/") for name in names]
    assert folders[0] != folders[1]
    assert [len(folder) for folder in folders] == [193, 193]
