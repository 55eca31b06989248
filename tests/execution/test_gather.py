"""What is checked before a run begins."""

import pytest

from outgrow.core.errors import DataError
from outgrow.execution.gather import check
from outgrow.recipe.recipe import load_recipe


def test_a_metric_that_is_not_defined_for_the_answers_is_refused_before_anything_is_done(tmp_path):
    recipe = load_recipe("demo", ["evaluation.metrics=[slot_f1]"])
    with pytest.raises(DataError, match="slot_f1 wants answers like"):
        check(recipe, tmp_path / "store")
    check(load_recipe("demo", ["evaluation.metrics=[macro_f1]"]), tmp_path / "store")
