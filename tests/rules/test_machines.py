"""Every state machine of every service: all states are reached, only declared ends are dead, all else is refused."""

from __future__ import annotations

import pytest

from banyan.cli.docs import machines
from banyan.kernel.machine import Machine
from banyan.kernel.refusal import Refused

MACHINES = machines()
every_machine = pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)


def test_the_machines_of_all_services_are_found() -> None:
    assert {"identity-account", "matching-request", "registry-person"} <= set(MACHINES)


@every_machine
def test_every_state_is_reached_from_the_first(machine: Machine) -> None:
    assert machine.reachable() == set(machine.states)


@every_machine
def test_only_declared_ends_are_dead_ends(machine: Machine) -> None:
    assert machine.dead_ends() <= set(machine.ends) <= set(machine.states)


@every_machine
def test_every_other_move_is_refused_with_the_moves_that_are_possible(machine: Machine) -> None:
    for name in {move for move, _ in machine.moves}:
        for state in set(machine.states) - {source for move, source in machine.moves if move == name}:
            with pytest.raises(Refused) as refused:
                machine.move(name, state)
            assert refused.value.code == "wrong_state"
            assert refused.value.facts["possible"] == machine.possible(state)
