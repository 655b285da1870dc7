"""The worker is killed at the two places of a relay's batch where a crash could hurt: an event may come twice, none is
missing and none gets another position."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from banyan.cli.verify import verify
from tests.instance import Instance

ORDERS = 20
LOCK = 4711
HELD_UP = f"""
create function held_up() returns trigger language plpgsql as
$$ begin perform pg_advisory_xact_lock({LOCK}); return new; end $$;
create trigger held_up before {{0}} for each row execute function held_up();
"""
PLACES = {
    "before the positions are committed": "insert on log",
    "between the broker's confirms and their mark": "update of published on stream",
}
WAITS = "select count(*) from pg_locks where locktype = 'advisory' and objid = %s and not granted"


def _log(shared: Instance) -> list[tuple[Any, ...]]:
    return shared.rows("select stream, position, event_id, digest from log order by stream, position")


@pytest.mark.parametrize("place", PLACES)
def test_a_relay_killed_between_positions_and_confirms_renumbers_nothing(shared: Instance, place: str) -> None:
    begun, tree = len(_log(shared)), shared.plant(place[:40])
    shared.command("water_tree", tree_id=tree, litres=1)
    shared.wait_until(lambda: shared.figure().get(tree) == 1, "all runs")
    shared.run(HELD_UP.format(PLACES[place]))
    with psycopg.connect(shared.database) as holder:
        holder.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        for _ in range(ORDERS):
            shared.command("water_tree", tree_id=tree, litres=1)
        shared.wait_until(lambda: shared.rows(WAITS, LOCK)[0][0] > 0, "the relay is in its batch")
        before = _log(shared)
        shared.laptop.kill("work")
    table = PLACES[place].rsplit(" ", 1)[-1]
    shared.wait_until(lambda: shared.rows(WAITS, LOCK)[0][0] == 0, "the dead worker's transaction has ended")
    shared.run(f"drop trigger held_up on {table}; drop function held_up()")
    shared.laptop.start("work")
    shared.wait_until(lambda: shared.figure().get(tree) == ORDERS + 1, "each had its effect once")
    after = _log(shared)
    assert [row for row in after if row in before] == before, "what had a position keeps it"
    assert len({row[2] for row in after}) == len(after) == begun + ORDERS + 2, "each event stands once"
    assert verify(shared.stream("sample.tree"), public_keys=shared.public_keys()).whole
