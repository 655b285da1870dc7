"""The net of kept pairs: its compiled and its plain form agree, and every repair is as good as solving afresh."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from services.identity.data import villages
from services.matching.optimum import net, paths
from services.matching.optimum.problem import Band, Problem
from services.matching.ranking import kernel
from services.matching.typhoon.day import day
from tests.rules.test_optimum import all_pairs, crowded

FORMS = ("net", "paths", "flow")


@contextmanager
def plain_modules() -> Iterator[dict[str, ModuleType]]:
    """The modules of the net as Python reads them where numba is not installed."""
    package = importlib.import_module("services.matching.optimum")
    whole = {name: f"{package.__name__}.{name}" for name in FORMS}
    kept = {name: sys.modules.pop(whole[name]) for name in FORMS}
    installed = kernel.numba_installed
    try:
        kernel.numba_installed = lambda: False
        yield {name: importlib.import_module(whole[name]) for name in FORMS}
    finally:
        kernel.numba_installed = installed
        for name in FORMS:
            sys.modules[whole[name]] = kept[name]
            setattr(package, name, kept[name])


def banded(seed: int) -> Problem:
    """A small day with load bands, on which workers have up to two places."""
    problem = day(villages(), 60, seed, size=600).problem
    rows = problem.workers.rows
    rows["free"] = np.minimum(rows["free"], 2)
    return replace(problem, bands=(Band(50, 700), Band(80, 2_500)))


def history(forms: Mapping[str, Any], problem: Problem) -> list[np.ndarray]:
    """All that the net holds after requests were placed, left, came back and were settled."""
    held = forms["flow"].net_of(problem, all_pairs(problem), np.full(len(problem), net.NOBODY))
    order = np.random.default_rng(5).permutation(len(problem))
    looked = forms["paths"].place_anew(held, order)
    for request in order[:9].tolist():
        looked += forms["paths"].take_out(held, request)
    looked += forms["paths"].place_anew(held, order[:9])
    assert forms["net"].settle(held)
    return [*(np.array(column) for column in held), np.array(looked)]


@pytest.mark.parametrize("problem", [crowded(5, requests=60, workers=700), banded(6)], ids=["crowded", "banded"])
def test_the_net_and_its_paths_do_the_same_in_plain_python(problem: Problem) -> None:
    if not kernel.numba_installed():
        pytest.skip("numba is not installed")
    compiled = {name: sys.modules[f"services.matching.optimum.{name}"] for name in FORMS}
    assert hasattr(compiled["paths"].place_anew, "py_func")
    one = history(compiled, problem)
    with plain_modules() as plain:
        assert not hasattr(plain["paths"].place_anew, "py_func")
        other = history(plain, problem)
    assert all((a == b).all() for a, b in zip(one, other, strict=True))


def test_a_change_of_any_compiled_source_asks_for_code_of_its_own() -> None:
    sources = Path(net.__file__).parent
    with_compiled = {each.name for each in sources.glob("*.py") if "@compile_it" in each.read_text("utf-8")}
    assert with_compiled == set(net.SOURCES)
    if kernel.numba_installed():
        assert paths.place_anew.__qualname__.endswith(net.version())
