"""registry on a real PostgreSQL: what the rules promise holds in the database, and what is kept is sealed."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from banyan.contracts import registry as words
from banyan.kernel.refusal import Refused
from banyan.runtime.commands import guard
from banyan.runtime.host import reference
from tests.flows.registry_desk import Desk
from tests.flows.registry_entering import approve, command_of, enter
from tests.rules.registry_given import VILLAGE, citizen


def test_a_worker_is_entered_approved_and_found(desk: Desk):
    id = approve(desk, enter(desk))

    view = desk.ask(words.GetPerson(person_id=id))
    assert (view.state, view.level, view.name, view.version) == ("active", "intermediate", "林晓梅", 2)
    assert (view.phone, view.document[-4:]) == ("138****0000", citizen(sequence=100)[-4:])
    assert view.document.startswith("****")
    assert view.period.hours_needed == 90
    assert [step.move for step in view.steps] == ["draft", "submit", "approve", "begin"]
    assert [name for name, _ in desk.events(id)] == ["drafted", "submitted", "approved", "certified", "registered"]
    clear = desk.ask(words.GetPerson(person_id=id, clear=("document",)))
    assert clear.document == citizen(sequence=100)


def test_nothing_personal_is_kept_in_the_clear(desk: Desk):
    approve(desk, enter(desk))

    kept = "".join(
        str(rows)
        for rows in (
            desk.rows("select body from person"),
            desk.rows("select body from person_history"),
            desk.rows("select data, personal from outbox"),
            desk.rows("select row from audit"),
            desk.rows("select reply from idempotency"),
        )
    )
    for secret in ("林晓梅", "linxiaomei", citizen(sequence=100), "13812300000", "1990-03-07", "SW2026000123"):
        assert secret not in kept, secret


def test_reading_a_name_is_in_the_audit_trail(desk: Desk):
    id = enter(desk)
    desk.ask(words.GetPerson(person_id=id))

    ((row,),) = desk.rows("select row from audit where row ->> 'method' = 'get_person'")
    assert "name" in row["seen"][id]


@pytest.mark.parametrize("typed", ["林晓梅", "林", "linxiaomei", "Lin Xiao Mei", "lxm"])
def test_a_name_is_found_by_what_people_type(desk: Desk, typed: str):
    id = enter(desk)
    enter(desk, 1, name="王建国")

    assert [line.id for line in desk.ask(words.FindPeople(name=typed)).items] == [id]


def test_the_last_four_of_phone_or_document_find_a_person(desk: Desk):
    id = enter(desk, 7)
    enter(desk, 8)

    for last4 in ("0007", citizen(sequence=114)[-4:].lower()):
        assert [line.id for line in desk.ask(words.FindPeople(last4=last4)).items] == [id]


def test_lists_are_sorted_by_pinyin_and_paged_within_what_the_caller_may_see(desk: Desk):
    names = ["王建国", "陈小明", "欧阳娜", "陈大伟", "林晓梅", "阿依古丽·买买提"]
    for number, name in enumerate(names):
        enter(desk, number, name=name)
    elsewhere = desk.caller(division="350102000000")
    desk.order(command_of(9, division="350102001001"), elsewhere)

    found, cursor = [], None
    while True:
        page = desk.ask(words.FindPeople(limit=2, next=cursor))
        found += [line.name for line in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == ["阿依古丽·买买提", "陈大伟", "陈小明", "林晓梅", "欧阳娜", "王建国"]
    assert [line.division for line in desk.ask(words.FindPeople(), elsewhere).items] == ["350102001001"]


def test_a_cursor_that_is_not_ours_is_refused(desk: Desk):
    with pytest.raises(Refused, match="bad_input"):
        desk.ask(words.FindPeople(next="????"))


def test_a_strangers_id_is_not_found_by_reading_or_by_writing(desk: Desk):
    id = enter(desk)
    stranger = desk.caller(division="350102000000")

    for attempt in (
        lambda: desk.ask(words.GetPerson(person_id=id), stranger),
        lambda: desk.order(words.ApprovePerson(person_id=id), stranger),
        lambda: desk.order(words.ApprovePerson(person_id="p-nobody"), stranger),
    ):
        with pytest.raises(Refused, match="not_found"):
            attempt()


def test_one_document_is_one_record_on_every_path(desk: Desk):
    id = enter(desk)
    other = enter(desk, 1)

    with pytest.raises(Refused) as refused:
        enter(desk, 2, document_number=citizen(sequence=100))
    assert (refused.value.code, refused.value.facts) == ("document_taken", {"person_id": id})
    correction = words.CorrectPerson(
        person_id=other, reason="改号", document_kind="resident_id", document_number=citizen(sequence=100)
    )
    with pytest.raises(Refused, match="document_taken"):
        desk.order(correction)


def test_two_officers_at_once_on_one_document_make_one_record(desk: Desk):
    def attempt(number: int) -> str:
        try:
            return enter(desk, number, document_number=citizen(sequence=100))
        except Refused as refused:
            return refused.code

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(attempt, range(4)))

    assert answers.count("document_taken") == 3
    assert desk.rows("select count(*) from person") == [(1,)]


def test_one_connection_is_enough_for_one_caller_however_old_what_it_remembers_is(desk: Desk, monkeypatch):
    for module in (reference, guard):
        monkeypatch.setattr(module, "LOOK_S", -1)
    desk.app.pool.resize(1, 1)

    id = enter(desk)

    assert desk.ask(words.GetPerson(person_id=id, clear=("document",))).document == citizen(sequence=100)


def test_a_stale_version_is_refused_with_both_sides(desk: Desk):
    id = enter(desk)
    desk.order(words.CorrectPerson(person_id=id, version=1, reason="更正", post="社工"))

    with pytest.raises(Refused) as refused:
        desk.order(words.CorrectPerson(person_id=id, version=1, reason="更正", post="督导"))

    assert refused.value.code == "stale_version"
    assert (refused.value.facts["stands"]["post"], refused.value.facts["ordered"]["post"]) == ("社工", "督导")


def test_probable_duplicates_stand_side_by_side_until_an_officer_decides(desk: Desk):
    older = approve(desk, enter(desk))
    newer = enter(desk, 1, phone="13812300000")

    (pair,) = desk.ask(words.FindDuplicates()).items
    assert (pair.newer.id, pair.older.id) == (newer, older)
    with pytest.raises(Refused, match="duplicate_undecided"):
        approve(desk, newer)
    desk.order(
        words.SettleDuplicate(person_id=newer, other_id=older, same=True, survivor_id=older, reason="同一人换证")
    )

    assert desk.ask(words.FindDuplicates()).items == ()
    assert [line.id for line in desk.ask(words.FindPeople(name="林晓梅")).items] == [older]
    with pytest.raises(Refused) as refused:
        approve(desk, newer)
    assert (refused.value.code, refused.value.facts) == ("merged", {"survivor_id": older})


def test_reads_unite_merged_records_and_unmerging_parts_them(desk: Desk):
    survivor = approve(desk, enter(desk))
    absorbed = approve(desk, enter(desk, 1))
    today = desk.today()
    desk.order(
        words.RecordLearning(person_id=absorbed, learning="course", hours=8, completed_on=today, evidence="培训-1")
    )
    desk.order(words.MergePersons(absorbed_id=absorbed, survivor_id=survivor, reason="同一人"))

    united = desk.ask(words.GetPerson(person_id=survivor))
    assert (len(united.certificates), united.period.hours) == (2, 8)
    assert [alias.absorbed_id for alias in united.absorbed] == [absorbed]
    with pytest.raises(Refused) as refused:
        enter(desk, 2, document_number=citizen(sequence=102))
    assert refused.value.facts == {"person_id": survivor}

    desk.order(words.UnmergePersons(absorbed_id=absorbed, reason="误并"))
    assert len(desk.ask(words.GetPerson(person_id=survivor)).certificates) == 1
    assert desk.ask(words.GetPerson(person_id=absorbed)).period.hours == 8


def test_two_clocks_as_of_a_day_and_as_known_at_an_instant(desk: Desk):
    id = approve(desk, enter(desk))
    before = desk.now()
    desk.move(days=10)
    moved_on = (desk.now() - dt.timedelta(days=3)).date()
    desk.order(words.CorrectPerson(person_id=id, reason="调动", division="350203002001", effective_on=moved_on))

    def division(on: dt.date, known_at: dt.datetime | None = None) -> str:
        return str(desk.ask(words.GetPerson(person_id=id, on=on, known_at=known_at)).division)

    assert division(moved_on) == "350203002001"
    assert division(moved_on - dt.timedelta(days=1)) == VILLAGE
    assert division(moved_on, known_at=before) == VILLAGE


def test_many_are_approved_at_once_each_with_its_answer(desk: Desk):
    ids = [enter(desk, number) for number in range(3)]
    items = tuple(words.ApprovePerson(person_id=id) for id in (*ids, "p-nobody"))

    answers = desk.order(words.ApprovePeople(items=items))["items"]

    assert [answer.get("done", {}).get("state") for answer in answers] == ["active", "active", "active", None]
    assert answers[3]["refused"]["code"] == "not_found"


def test_a_person_gets_the_own_copy_and_corrects_it(desk: Desk):
    id = approve(desk, enter(desk))
    own = desk.caller("worker", division=VILLAGE, account="acc-w0", person=id)

    copy = desk.ask(words.GetOwnCopy(), own)
    assert (copy.person.document, copy.person.phone) == (citizen(sequence=100), "+8613812300000")
    assert copy.purposes["phone"] == "联系本人"
    assert copy.retention_days["phone"] == 1095
    desk.order(words.CorrectOwnRecord(person_id=id, phone="13987654321"), own)
    assert desk.ask(words.GetOwnCopy(), own).person.phone == "+8613987654321"
    with pytest.raises(Refused, match="not_found"):
        desk.ask(words.GetOwnCopy(), desk.caller("worker", account="acc-nobody"))


def test_an_erased_person_cannot_be_read_again_history_included(desk: Desk):
    id = approve(desk, enter(desk))
    desk.order(words.ErasePerson(person_id=id, reason="本人请求"), desk.caller("privacy_officer"))

    assert desk.rows("select wrapped from person_key where person_id = %s", (id,)) == [(None,)]
    assert desk.ask(words.FindPeople(name="林晓梅")).items == ()
    assert [name for name, _ in desk.events(id)][-1] == "erased"
    again = enter(desk)
    assert again != id
