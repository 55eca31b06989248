"""What an experiment consists of, told once: its jobs, and the steps that each asks for.

A run makes these steps, a dry run counts them, a plan prices them, `status` looks them up, the results are collected
from them. What jobs share goes through the store, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from outgrow.core.errors import ConfigError
from outgrow.core.lab import Source, Student
from outgrow.experiment.arm_steps import ASKED, ArmSteps, Stage, student_start
from outgrow.experiment.cells import Cell, cells_of
from outgrow.experiment.out_of_distribution import answer_shifted
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.together import TOGETHER, obstacle, together
from outgrow.methods import METHODS
from outgrow.models.config import ModelRef
from outgrow.recipe.recipe import Recipe
from outgrow.store import StepUse


@dataclass(frozen=True)
class Job:
    """One unit of work: an untrained student is tested, a supervisor tuned and asked, or an arm carried out.

    Of several supervisors that teach one student there is a further job, which asks them all together.

    Attributes:
        seed: of the repetition; None for an untrained student.
        arm: the arm's id; None for a supervisor.
        place: of the supervisor in the recipe, or of the cell or the untrained student.
        name: of the supervisor, the cell or the student, where there are several.
        joint: whether it asks all supervisors together (`together`).
    """

    seed: int | None
    arm: str | None
    place: int = 0
    name: str = ""
    joint: bool = False

    @property
    def label(self) -> str:
        """What progress calls it."""
        if self.seed is None:
            return f"{self.name or 'student'} before training"
        if self.arm is None:
            return f"seed {self.seed}: {self.name or 'supervisor'}"
        return f"seed {self.seed}: {self.arm}" + (f", {self.name}" if self.name else "")

    @property
    def kind(self) -> str:
        """What it has in common with the same job of other seeds."""
        return " ".join(filter(None, (self.arm or self.stage, self.name)))

    @property
    def stage(self) -> str:
        """`start`, `supervisors` or `arms`."""
        if self.seed is None:
            return "start"
        return "supervisors" if self.arm is None else "arms"


@dataclass(frozen=True)
class Done:
    """What a job came to: keys and facts, no tables.

    Attributes:
        job: what was done.
        student: the trained student of an arm.
        base: the base model of the student.
        asked: answers that the arm used to questions of `pool` and `known`.
        known: gold labels of `known` that the arm bought.
        notes: what a reader should know.
        log: steps used.
        usage: what servers charged for the answers that were used (`StepRunner.usage`).
        trained: name of an arm or a supervisor to the key of its training.
        stages: the trainings of an arm, in order.
    """

    job: Job
    student: Student | None = None
    base: ModelRef | None = None
    asked: int = 0
    known: int = 0
    notes: tuple[str, ...] = ()
    log: tuple[StepUse, ...] = ()
    usage: dict[str, dict[str, Any]] = field(default_factory=dict)
    trained: dict[str, str] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()


def jobs_of(recipe: Recipe) -> dict[Job, tuple[Job, ...]]:
    """The jobs of a recipe, seed by seed, each with those it needs.

    An arm needs its cell's supervisors of its seed, and a student's start where that is trained; what the supervisors
    of a cell answer together needs all of them.
    """
    several, cells = len(recipe.supervisors) > 1, cells_of(recipe)
    crowds = {cell.supervisors: place for place, cell in reversed([*enumerate(cells)])}
    students = recipe.student_names if len(recipe.students) > 1 else ("",)
    needs: dict[Job, tuple[Job, ...]] = {Job(None, None, i, name): () for i, name in enumerate(students)}
    starts = [(start,) if recipe.sft is not None else () for start in needs]
    for seed in recipe.seeds:
        weak = [Job(seed, None, i, own.name if several else "") for i, own in enumerate(recipe.supervisors)]
        needs |= dict.fromkeys(weak, ())
        for who, place in crowds.items():
            if obstacle(recipe, who) is None:
                name = TOGETHER if not cells[place].name else f"{TOGETHER}, {cells[place].name}"
                needs[Job(seed, None, place, name, joint=True)] = tuple(weak[i] for i in who)
        needs |= {
            Job(seed, arm.id, place, cell.name): (*starts[cell.student], *(weak[i] for i in cell.supervisors))
            for place, cell in enumerate(cells)
            for arm in recipe.methods
        }
    return needs


def perform(runner: StepRunner, job: Job) -> Done:
    """Ask for every step of one job.

    Args:
        runner: of a whole `Recipe`; its steps are made, counted or looked up.
        job: one of `jobs_of`.

    Raises:
        OutgrowError: as the steps and the method themselves.
    """
    recipe = runner.recipe
    assert isinstance(recipe, Recipe)
    runner.reword()
    if job.seed is None:
        runner.answer(zero_shot(runner, job.place), "test", seed=0, full=False)
        return Done(job)
    if job.joint:
        crowd = cells_of(recipe)[job.place].supervisors
        runner.answer(together(runner, crowd, job.seed), "test", seed=job.seed, full=False, shown=True)
        return Done(job)
    if job.arm is None:
        source = runner.tune_supervisor(job.place, job.seed)
        for split in (name for name in ASKED if name in runner.task.splits):
            runner.answer(source, split, seed=job.seed, full=split != "validation", shown=True)
        if runner.decoys is not None:
            runner.answer_decoys(source, seed=job.seed)
        tuned = {source.name: source.key} if isinstance(source, Student) else {}
        return Done(job, trained=tuned)
    cell = cells_of(recipe)[job.place]
    done = run_arm(runner, job, cell, tuple(runner.tune_supervisor(i, job.seed) for i in cell.supervisors))
    assert done.student is not None
    runner.answer(done.student, "test", seed=0, full=False)
    answer_shifted(runner, done.student)
    return replace(done, base=runner.sources.ref_of(done.student))


def zero_shot(runner: StepRunner, place: int) -> Source:
    """A student before training, as the results call it."""
    return student_start(runner, place, "zero_shot")


def run_arm(runner: StepRunner, job: Job, cell: Cell, supervisors: tuple[Source, ...]) -> Done:
    """One method for one seed in one cell."""
    assert job.seed is not None
    assert isinstance(runner.recipe, Recipe)
    arm = next(each for each in runner.recipe.methods if each.id == job.arm)
    work = ArmSteps(runner, arm, METHODS[arm.name].uses_gold, job.seed, cell, supervisors)
    student = METHODS[arm.name].function(work.lab(), arm.config)
    if not isinstance(student, Student):
        raise ConfigError(f"the method '{arm.name}' gave {student!r}; a method returns what lab.train gave it")
    return Done(
        job, student, None, work.asked(), len(work.bought), tuple(work.notes), trained={arm.id: student.key},
        stages=tuple(work.stages),
    )  # fmt: skip
