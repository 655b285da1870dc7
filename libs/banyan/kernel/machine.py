"""A state machine is a table: which move leads from which state to which. Everything else about states is derived from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from banyan.kernel.refusal import Refused


@dataclass(frozen=True)
class Move:
    """One allowed step; `sources` are one or more states."""

    name: str
    sources: str | tuple[str, ...]
    target: str


class Machine:
    """The states of one kind of record. `move` answers the next state or refuses `wrong_state`."""

    def __init__(self, name: str, *, initial: str, moves: Sequence[Move], ends: Sequence[str] = ()) -> None:
        self.name, self.initial, self.ends = name, initial, tuple(ends)
        self.moves: dict[tuple[str, str], str] = {}
        for move in moves:
            for source in (move.sources,) if isinstance(move.sources, str) else move.sources:
                if (move.name, source) in self.moves:
                    raise ValueError(f"{name}: {move.name} leaves {source} twice")
                self.moves[move.name, source] = move.target
        self.states = tuple(dict.fromkeys([initial, *(s for _, s in self.moves), *self.moves.values()]))

    def move(self, name: str, state: str) -> str:
        """The state after a move; refuses `wrong_state` with the moves that are possible instead."""
        target = self.moves.get((name, state))
        if target is None:
            raise Refused("wrong_state", machine=self.name, move=name, state=state, possible=self.possible(state))
        return target

    def possible(self, state: str) -> list[str]:
        """The names of the moves that leave a state."""
        return sorted(move for move, source in self.moves if source == state)

    def reachable(self) -> set[str]:
        """All states that some way leads to from the initial one."""
        found, edge = {self.initial}, [self.initial]
        while edge:
            state = edge.pop()
            new = {target for (_, source), target in self.moves.items() if source == state} - found
            found |= new
            edge += new
        return found

    def dead_ends(self) -> set[str]:
        """States that nothing leaves; they must be the declared ends."""
        return set(self.states) - {source for _, source in self.moves}

    def mermaid(self) -> str:
        """The diagram for docs/machines, generated."""
        lines = [f"    {source} --> {target}: {move}" for (move, source), target in self.moves.items()]
        return "\n".join(["stateDiagram-v2", f"    [*] --> {self.initial}", *lines, *(f"    {e} --> [*]" for e in self.ends)]) + "\n"
