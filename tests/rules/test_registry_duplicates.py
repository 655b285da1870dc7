"""Cases: one person is one record; who decides it, and what a merge keeps."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from banyan.contracts.registry import (
    ApprovePerson,
    DuplicateDismissed,
    ErasePerson,
    MergePersons,
    PersonErased,
    PersonMerged,
    PersonUnmerged,
    SettleDuplicate,
    UnmergePersons,
)
from banyan.kernel.message import DestroyKey
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from tests.rules.registry_given import GULOU, approved, citizen, decide, drafted, officer, registered, worker_command


def two():
    older = registered()
    newer = drafted(worker_command(document_number=citizen(sequence=126)), officer(account="acc-2"))
    return older, replace(newer, suspected=(older.id,))


def settle(newer, older, **more):
    command = SettleDuplicate(person_id=newer.id, other_id=older.id, reason="已当面核对", **more)
    return decide(command, officer(), newer, other=older)


def merge(absorbed, survivor, context=None):
    command = MergePersons(absorbed_id=absorbed.id, survivor_id=survivor.id, reason="同一人")
    return decide(command, context or officer(), absorbed, survivor=survivor)


def test_two_persons_in_two_like_records_go_on_as_two():
    older, newer = two()

    after, event = settle(newer, older, same=False)

    assert after.suspected == ()
    assert after.steps[-1].why.plain == "已当面核对"
    assert isinstance(event, DuplicateDismissed)


def test_one_person_in_two_records_goes_on_as_the_one_that_was_named():
    older, newer = two()

    records, event = settle(newer, older, same=True, survivor_id=older.id)

    assert records[""].merged_into == older.id
    assert records["other"].absorbed[0].absorbed_id == newer.id
    assert isinstance(event, PersonMerged)
    assert (event.absorbed_id, event.survivor_id) == (newer.id, older.id)


def test_the_newer_record_may_survive_too():
    older, newer = two()

    records, event = settle(newer, older, same=True, survivor_id=newer.id)

    assert records[""].absorbed[0].absorbed_id == older.id
    assert records["other"].merged_into == newer.id
    assert event.person_id == older.id


def test_a_decision_that_names_no_survivor_or_no_suspect_is_refused():
    older, newer = two()

    with pytest.raises(Refused, match="survivor_missing"):
        settle(newer, older, same=True)
    with pytest.raises(Refused, match="not_suspected"):
        settle(older, newer, same=False)


def test_facts_stay_under_the_id_they_were_written_for():
    older, newer = two()

    records, _ = merge(older, newer)

    assert records[""].periods == older.periods
    assert records["survivor"].periods == newer.periods


def test_an_order_to_an_absorbed_record_is_refused_with_the_survivor():
    older, newer = two()
    records, _ = merge(newer, older)

    with pytest.raises(Refused) as refused:
        decide(ApprovePerson(person_id=newer.id), officer(), records[""])

    assert (refused.value.code, refused.value.facts) == ("merged", {"survivor_id": older.id})


def test_nothing_is_merged_into_itself_or_into_an_alias():
    older, newer = two()
    records, _ = merge(newer, older)

    with pytest.raises(Refused, match="survivor_missing"):
        merge(older, older)
    with pytest.raises(Refused, match="merged"):
        merge(older, records[""])


def test_both_records_must_lie_within_the_officers_reach():
    older, newer = two()

    with pytest.raises(Refused, match="not_found"):
        merge(newer, replace(older, division=GULOU))


def test_unmerging_closes_the_alias_and_leaves_later_facts_with_the_survivor():
    older, newer = two()
    records, _ = merge(newer, older)
    survivor = replace(records["survivor"], post="督导")
    command = UnmergePersons(absorbed_id=newer.id, reason="误判")

    back, event = decide(command, officer(), records[""], survivor=survivor)

    assert back[""].merged_into is None
    assert back["survivor"].absorbed[0].until is not None
    assert back["survivor"].post == "督导"
    assert isinstance(event, PersonUnmerged)
    with pytest.raises(Refused, match="not_merged"):
        decide(command, officer(), back[""], survivor=None)


def test_erasure_leaves_nothing_personal_and_destroys_the_key():
    person = approved()

    after, event, effect = decide(
        ErasePerson(person_id=person.id, reason="本人请求"), officer("privacy_officer"), person
    )

    assert after.state == "erased"
    assert not [value for value in _values(after) if isinstance(value, Private)]
    assert (after.sort_key, after.account, after.sex) == ("", None, None)
    assert (after.division, after.level) == (person.division, person.level)
    assert isinstance(event, PersonErased)
    assert effect == DestroyKey(person_id=person.id)


def _values(record):
    for name in record.__struct_fields__:
        value = getattr(record, name)
        for part in value if isinstance(value, tuple) else (value,):
            yield part
            if hasattr(part, "__struct_fields__"):
                yield from _values(part)


def test_who_is_erased_stays_erased():
    person = decide(ErasePerson(person_id="p", reason="本人请求"), officer("privacy_officer"), approved())[0]

    with pytest.raises(Refused, match="person_erased"):
        decide(ApprovePerson(person_id="p"), officer(), person)
