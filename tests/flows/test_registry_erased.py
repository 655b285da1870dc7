"""Erasing a person ends with the whole person: after the restore of an older backup, and in records merged into theirs."""

from __future__ import annotations

import pytest

from banyan.contracts import registry as words
from banyan.kernel.refusal import Refused
from tests.flows.registry_desk import Desk
from tests.flows.registry_entering import approve, enter


def test_whose_key_alone_was_destroyed_by_a_restore_is_erased_wholly_and_others_are_listed(desk: Desk):
    gone = approve(desk, enter(desk))
    stays = approve(desk, enter(desk, 1, name="王二"))
    desk.run("update person_key set wrapped = null, destroyed_at = now() where person_id = %s", (gone,))
    with pytest.raises(Refused, match="person_erased"):
        desk.ask(words.FindPeople())  # as long as the record stands, a page with it cannot be read
    desk.turn()
    assert [line.id for line in desk.ask(words.FindPeople()).items] == [stays]
    kept = "state, sort_key, body ->> 'sex', body ->> 'talent_evidence'"
    assert desk.rows(f"select {kept} from person where id = %s", (gone,)) == [("erased", "", None, "")]
    assert [name for name, _ in desk.events(gone)][-1] == "erased", "matching and insight are told again"
    assert desk.rows("select version from person_history where id = %s", (gone,)) == [(3,)], "nor in earlier versions"
    assert desk.rows("select count(*) from person_history where id = %s", (stays,)) == [(2,)]
    with desk.app.pool.connection() as connection:
        asked = connection.execute("select forget_history('person', 'id', %s)", ([stays, gone],)).fetchone()
    assert asked == (0,), "the service's role cannot forget the living, nor the newest version of the erased"
    before = len(desk.events())
    desk.turn()
    assert len(desk.events()) == before, "once"


def test_a_record_that_was_absorbed_by_an_erased_one_is_erased_with_it(desk: Desk):
    survivor = approve(desk, enter(desk))
    absorbed = approve(desk, enter(desk, 1))
    desk.order(words.MergePersons(absorbed_id=absorbed, survivor_id=survivor, reason="同一人"))
    desk.order(words.ErasePerson(person_id=survivor, reason="本人请求"), desk.caller("privacy_officer"))
    desk.turn()
    assert desk.rows("select wrapped from person_key where person_id = any(%s)", ([survivor, absorbed],)) == [
        (None,),
        (None,),
    ]
    assert desk.rows("select distinct state from person") == [("erased",)]
