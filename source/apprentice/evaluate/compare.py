"""Compares finished evaluations that started from the same initial states."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apprentice.demos.durable import write_json
from apprentice.errors import UserError
from apprentice.evaluate.results import Evaluation, read, read_rollouts
from apprentice.evaluate.several import Pair, compare_all, holm
from apprentice.evaluate.statistics import Verdict, points
from apprentice.evaluate.training_seeds import Aggregate, RecipeComparison, aggregate, compare_recipes

SAME = ("task", "variant", "held_steps", "horizon", "states_sha256")
"""Fields of an evaluation without which rollouts of one seed are not paired."""
PROFILE_POINTS = 121
"""Numbers of control steps at which a profile is given, from 0 to the horizon."""


@dataclass(kw_only=True, frozen=True)
class Entry:
    """One evaluation among those compared."""

    name: str
    folder: Path
    evaluation: Evaluation
    starts: tuple[tuple[int, int], ...]
    """Number and seed of each rollout. N of them."""
    success: NDArray[np.bool_]
    """Shape (N,)."""
    steps: NDArray[np.int64]
    """Control steps played. Shape (N,)."""


@dataclass(kw_only=True, frozen=True)
class Recipe:
    """Evaluations of one recipe that was trained with several seeds."""

    name: str
    entries: tuple[Entry, ...]
    aggregate: Aggregate


@dataclass(kw_only=True, frozen=True)
class RecipePair:
    """Two recipes."""

    first: str
    second: str
    compared: RecipeComparison
    p_holm: float
    """P value after Holm's correction for the number of pairs."""
    verdict: Verdict
    """"undecided" unless the corrected test and the interval both carry a difference."""

    @property
    def sentence(self) -> str:
        """What the numbers allow one to say, and no more."""
        found, (one, other) = self.compared, self.compared.trainings
        span = f"{points(found.difference, found.interval, self.verdict)}, p = {self.p_holm:.2g}"
        if self.verdict != "undecided":
            better, worse = (self.second, self.first) if found.difference > 0 else (self.first, self.second)
            return f"{better} succeeds more often than {worse}, over {one} and {other} trainings ({span})."
        text = f"{one} and {other} trainings do not show a difference between {self.first} and {self.second} ({span})"
        if found.least_p_value >= 0.05:
            return f"{text}; so few cannot, whatever their rates: train each at least four times."
        return f"{text}."


@dataclass(kw_only=True, frozen=True)
class Comparison:
    """Evaluations from the same initial states, and what may be said about their differences."""

    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    """Each evaluation with each other: what holds for these very policies."""
    recipes: tuple[Recipe, ...]
    """Those of the evaluations that are of one recipe, trained several times."""
    recipe_pairs: tuple[RecipePair, ...]
    """Each of them with each other: what holds for recipes."""


def compare(folders: Sequence[Path]) -> Comparison:
    """Compare the evaluations in two or more folders.

    The policy, the backend or the condition may differ; the initial states and what counts as success may not. Where
    some rollouts of one do not count, those that count in both are compared.

    Raises:
        UserError: If there are fewer than two, a folder holds no finished evaluation, or not all are of the same
            rollouts.
    """
    if len(folders) < 2:
        raise UserError("Expected at least two folders of evaluations to compare, found fewer; name another one.")
    entries = _entries(folders)
    pairs = compare_all({entry.name: entry.success for entry in entries})
    recipes = _recipes(entries)
    return Comparison(
        entries=tuple(entries), pairs=tuple(pairs), recipes=tuple(recipes), recipe_pairs=_recipe_pairs(recipes)
    )


def write(comparison: Comparison, output: Path) -> Path:
    """Write `comparison.json`, from which `apprentice.report` draws the page. Returns its path.

    Raises:
        UserError: If `output` cannot be written.
    """
    path = output / "comparison.json"
    write_json(path, as_dict(comparison))
    return path


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """What `comparison.json` holds."""
    first = comparison.entries[0].evaluation
    grouped = {entry.name for recipe in comparison.recipes for entry in recipe.entries}
    curves = [(recipe.name, recipe.entries) for recipe in comparison.recipes]
    curves += [(entry.name, (entry,)) for entry in comparison.entries if entry.name not in grouped]
    return {
        **{key: getattr(first, key) for key in SAME},
        "seed": first.seed,
        "rollouts": first.rollouts,
        "evaluations": [
            {"name": entry.name, "folder": str(entry.folder), **asdict(entry.evaluation)}
            for entry in comparison.entries
        ],
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                **pair.paired.as_dict(),
                "p_holm": pair.p_holm,
                "verdict": pair.verdict,
                "sentence": pair.sentence,
            }
            for pair in comparison.pairs
        ],
        "recipes": [
            {
                "name": recipe.name,
                "evaluations": [entry.name for entry in recipe.entries],
                "training": recipe.entries[0].evaluation.training,
                **asdict(recipe.aggregate),
            }
            for recipe in comparison.recipes
        ],
        "recipe_pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                **asdict(pair.compared),
                "p_holm": pair.p_holm,
                "verdict": pair.verdict,
                "sentence": pair.sentence,
            }
            for pair in comparison.recipe_pairs
        ],
        "profiles": [{"name": name, **_profile(entries)} for name, entries in curves],
    }


def _entries(folders: Sequence[Path]) -> list[Entry]:
    entries: list[Entry] = []
    for name, folder in zip(_names(folders), folders, strict=True):
        evaluation = read(folder)
        rows = read_rollouts(folder)
        entry = Entry(
            name=name,
            folder=folder,
            evaluation=evaluation,
            starts=tuple((row["index"], row["seed"]) for row in rows),
            success=np.array([row["success"] for row in rows], dtype=bool),
            steps=np.array([row["steps"] for row in rows]),
        )
        entries.append(entry)
    if any(entry.evaluation.not_counted for entry in entries):
        entries = _shared(entries)
    for entry in entries[1:]:
        _require_comparable(entries[0], entry)
    return entries


def _shared(entries: Sequence[Entry]) -> list[Entry]:
    """Only those rollouts that count in all evaluations."""
    starts = set.intersection(*(set(entry.starts) for entry in entries))
    if not starts:
        raise UserError("Expected evaluations that share initial states, found none that counts in all of them.")
    shared: list[Entry] = []
    for entry in entries:
        rows = np.array([start in starts for start in entry.starts])
        kept = tuple(start for start in entry.starts if start in starts)
        shared.append(replace(entry, starts=kept, success=entry.success[rows], steps=entry.steps[rows]))
    return shared


def _require_comparable(one: Entry, other: Entry) -> None:
    for key in SAME:
        here, there = getattr(one.evaluation, key), getattr(other.evaluation, key)
        if here != there:
            raise UserError(
                f"Expected evaluations with the same {key}, found {here} in {one.folder} and {there} in "
                f"{other.folder}; evaluate one of them again."
            )
    if one.starts != other.starts:
        raise UserError(
            f"Expected evaluations of the same initial states, found {_seeds(one.evaluation)} in {one.folder} and "
            f"{_seeds(other.evaluation)} in {other.folder}; give both the same --seed and --rollouts."
        )


def _seeds(evaluation: Evaluation) -> str:
    return f"seeds {evaluation.seed} to {evaluation.seed + evaluation.rollouts - 1}"


def _names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    paths = [folder.resolve() for folder in folders]
    for depth in range(1, max(len(path.parts) for path in paths)):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{path.name} ({number})" for number, path in enumerate(paths, 1)]


def _recipes(entries: Sequence[Entry]) -> list[Recipe]:
    """Evaluations of one recipe on one backend under one condition, trained with several seeds, together."""
    groups: dict[tuple[Any, ...], dict[int, Entry]] = {}
    for entry in entries:
        training = entry.evaluation.training
        if training is not None:
            condition = json.dumps(entry.evaluation.condition, sort_keys=True)
            group = groups.setdefault((training["recipe"], entry.evaluation.backend, condition), {})
            # the same policy evaluated again is not another training
            group.setdefault(training["seed"], entry)
    several = [tuple(group.values()) for group in groups.values() if len(group) > 1]
    return [
        Recipe(name=name, entries=group, aggregate=aggregate([entry.success for entry in group]))
        for name, group in zip(_recipe_names(several), several, strict=True)
    ]


def _recipe_names(groups: Sequence[tuple[Entry, ...]]) -> list[str]:
    """The start of each recipe's digest, and what else tells them apart."""
    facts: list[dict[str, str]] = []
    for group in groups:
        training, backend = group[0].evaluation.training or {}, group[0].evaluation.backend
        said = {"algo": str(training["algo"]), "demos": f"{training['demos']:,} demos"}
        facts.append(said | {"steps": f"{training['steps']:,} steps", "backend": backend})
    differ = [key for key in (facts[0] if facts else ()) if len({said[key] for said in facts}) > 1]
    digests = [(group[0].evaluation.training or {})["recipe"][:6] for group in groups]
    return [
        f"recipe {digest}" + (f" ({', '.join(said[key] for key in differ)})" if differ else "")
        for digest, said in zip(digests, facts, strict=True)
    ]


def _recipe_pairs(recipes: Sequence[Recipe]) -> tuple[RecipePair, ...]:
    pairs = list(itertools.combinations(recipes, 2))
    found = [compare_recipes(*([entry.success for entry in one.entries] for one in pair)) for pair in pairs]
    return tuple(
        RecipePair(
            first=first.name,
            second=second.name,
            compared=compared,
            p_holm=p_holm,
            verdict=compared.verdict if p_holm < 0.05 else "undecided",
        )
        for (first, second), compared, p_holm in zip(pairs, found, holm([one.p_value for one in found]), strict=True)
    )


def _profile(entries: Sequence[Entry]) -> dict[str, list[float]]:
    """Share of rollouts that had succeeded within each number of control steps, over all trainings of a recipe."""
    steps = np.linspace(0, entries[0].evaluation.horizon, PROFILE_POINTS)
    needed = np.concatenate([np.where(entry.success, entry.steps, np.inf) for entry in entries])
    return {"steps": steps.tolist(), "share": [float(share) for share in (needed <= steps[:, None]).mean(axis=1)]}
