"""The state machine as a table, and every machine of the house held to it."""

from __future__ import annotations

import importlib
import itertools
import pkgutil

import pytest

import services
from banyan.kernel.machine import Machine, Move
from banyan.kernel.refusal import Refused

DOOR = Machine(
    "door",
    initial="shut",
    moves=[Move("open", "shut", "open"), Move("shut", "open", "shut"), Move("wall_up", ("shut", "open"), "wall")],
    ends=("wall",),
)


def _machines() -> list[Machine]:
    """Every machine that a service's domain declares."""
    found: dict[str, Machine] = {}
    for service in pkgutil.iter_modules(services.__path__, "services."):
        try:
            domain = importlib.import_module(f"{service.name}.domain")
        except ModuleNotFoundError:
            continue
        for module in pkgutil.iter_modules(domain.__path__, f"{domain.__name__}."):
            values = vars(importlib.import_module(module.name)).values()
            found |= {f"{service.name}.{v.name}": v for v in values if isinstance(v, Machine)}
    return [found[name] for name in sorted(found)]


MACHINES = _machines()


def test_a_move_leads_to_its_state_from_each_of_its_sources() -> None:
    assert DOOR.move("open", "shut") == "open"
    assert {DOOR.move("wall_up", state) for state in ("shut", "open")} == {"wall"}
    assert DOOR.states == ("shut", "open", "wall")


def test_another_move_is_refused_with_what_is_possible() -> None:
    with pytest.raises(Refused) as refused:
        DOOR.move("shut", "shut")
    assert refused.value.code == "wrong_state"
    assert refused.value.facts == {
        "machine": "door",
        "move": "shut",
        "state": "shut",
        "possible": ["open", "wall_up"],
    }


def test_a_move_that_leaves_a_state_twice_is_a_mistake_of_the_table() -> None:
    with pytest.raises(ValueError, match="leaves shut twice"):
        Machine("door", initial="shut", moves=[Move("open", "shut", "open"), Move("open", ("shut",), "wall")])


def test_what_nothing_leaves_is_a_dead_end_and_what_nothing_reaches_is_seen() -> None:
    lost = Machine("lost", initial="a", moves=[Move("go", "a", "b"), Move("go", "c", "b")], ends=("b",))
    assert lost.dead_ends() == {"b"}
    assert lost.reachable() == {"a", "b"}


def test_there_are_machines_to_hold_to_it() -> None:
    assert {"person", "request", "worker", "account"} <= {machine.name for machine in MACHINES}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_is_reachable_and_only_declared_ends_are_dead_ends(machine: Machine) -> None:
    assert machine.reachable() == set(machine.states)
    assert machine.dead_ends() <= set(machine.ends)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_other_pair_of_state_and_move_is_refused(machine: Machine) -> None:
    names = {name for name, _ in machine.moves}
    for state, name in itertools.product(machine.states, names):
        if (name, state) in machine.moves:
            assert machine.move(name, state) in machine.states
            continue
        with pytest.raises(Refused) as refused:
            machine.move(name, state)
        assert refused.value.code == "wrong_state"
        assert name not in refused.value.facts["possible"]
