"""Cases: how a person comes into the register, and how particulars are put right."""

from __future__ import annotations

import datetime as dt

import pytest

from banyan.contracts.registry import (
    AskCorrection,
    CorrectionAsked,
    CorrectOwnRecord,
    CorrectPerson,
    DuplicateSuspected,
    PersonCorrected,
    PersonDrafted,
    PersonSubmitted,
)
from banyan.kernel.documents import check_character
from banyan.kernel.message import Notice
from banyan.kernel.refusal import Refused
from services.registry.domain import particulars
from tests.rules.registry_given import (
    GULOU,
    SIMING,
    TODAY,
    VILLAGE,
    approved,
    citizen,
    decide,
    drafted,
    officer,
    self_of,
    worker_command,
)


def register(command, *, twin=None, lookalikes=(), context=None):
    return decide(command, context or officer(), same_document=twin, lookalikes=lookalikes)


def test_a_record_begins_as_a_draft_with_who_and_when():
    person, event = register(worker_command())

    assert (person.state, person.division) == ("draft", VILLAGE)
    assert person.name.plain == "林晓梅"
    assert (person.steps[0].by, person.steps[0].at.date()) == ("acc-officer", TODAY)
    assert event == PersonDrafted(
        person_id=person.id,
        division=VILLAGE,
        state="draft",
        talent_basis="certificate",
        employer_kind="social_organisation",
        fields=("family", "community"),
    )


def test_birth_date_and_sex_come_from_the_document():
    person = drafted()

    assert person.birth_date.plain == "1990-03-07"
    assert person.sex == "2"


def test_entry_may_submit_at_once():
    person, drafted_event, submitted_event = register(worker_command(submit=True))

    assert person.state == "submitted"
    assert isinstance(drafted_event, PersonDrafted)
    assert isinstance(submitted_event, PersonSubmitted)


def test_the_same_document_is_a_conflict_that_names_the_record_to_those_who_may_see_it():
    with pytest.raises(Refused) as refused:
        register(worker_command(), twin=("p-1", VILLAGE))

    assert (refused.value.code, refused.value.facts) == ("document_taken", {"person_id": "p-1"})


def test_the_same_document_elsewhere_is_a_conflict_without_a_name():
    with pytest.raises(Refused) as refused:
        register(worker_command(), twin=("p-1", GULOU))

    assert (refused.value.code, refused.value.facts) == ("document_taken", {})


def test_a_person_like_another_is_taken_in_and_put_beside_it():
    person, _, event = register(worker_command(), lookalikes=("p-1",))

    assert person.suspected == ("p-1",)
    assert isinstance(event, DuplicateSuspected)
    assert event.other_ids == ("p-1",)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"document_number": citizen()[:-1] + ("0" if citizen()[-1] != "0" else "1")}, "document_checksum"),
        ({"document_number": citizen("19900230")}, "document_date"),
        ({"birth_date": dt.date(1991, 1, 1)}, "document_date"),
        ({"sex": "1"}, "document_sex"),
        ({"document_kind": "library_card"}, "unknown_code"),
        ({"document_kind": "passport", "document_number": "E12345678"}, "particular_missing"),
        ({"name": " "}, "name_format"),
        ({"phone": "12"}, "phone_format"),
        ({"fields": ("astrology",)}, "unknown_code"),
        ({"languages": ("klingon",)}, "unknown_code"),
        ({"employer_kind": "bank"}, "unknown_code"),
        ({"education": "99"}, "unknown_code"),
        ({"weekly_capacity": 61}, "capacity_out_of_range"),
    ],
)
def test_what_does_not_hold_together_is_refused(changes, code):
    with pytest.raises(Refused) as refused:
        register(worker_command(**changes))

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("hmt_residence_permit", "83000019900307124" + check_character("83000019900307124")),
        ("hm_travel_permit", "H12345678"),
        ("taiwan_travel_permit", "12345678"),
        ("foreign_permanent_residence", "USA350012345678"),
        ("passport", "E12345678"),
    ],
)
def test_every_kind_of_document_is_taken(kind, number):
    command = worker_command(
        document_kind=kind, document_number=number, birth_date=dt.date(1990, 3, 7), sex="2", certificate=None
    )

    person = drafted(command)

    assert person.document.plain == number
    assert person.document.search == (f"{kind}:{number}", f"last4:{number[-4:]}")


def test_an_unknown_region_is_only_a_warning():
    person = drafted(worker_command(document_number=citizen(region="899999")))

    assert person.document_warnings == ("unknown_region",)


def test_a_phone_is_no_identity_and_none_is_valid():
    person = drafted(worker_command(phone=None))

    assert person.phone is None
    assert person.birth_date.search == ()


def test_a_name_is_found_by_itself_surname_pinyin_and_initials():
    words = set(particulars.name_words("欧阳晓梅"))

    for typed in ("欧阳晓梅", "欧阳", "ouyangxiaomei", "OuYang XiaoMei", "oyxm"):
        assert words & set(particulars.asked_words(typed)), typed
    assert not words & set(particulars.asked_words("欧"))


def test_the_order_that_is_not_sealed_tells_a_surname_and_one_letter():
    assert particulars.sort_key("林晓梅") == "lin x"
    assert particulars.sort_key("欧阳晓梅") == "ou yang x"
    assert particulars.sort_key("阿依古丽·买买提") == "a y"
    assert "mei" not in particulars.sort_key("林晓梅")


def test_a_correction_is_a_new_version_with_its_reason_and_names_no_value():
    person = approved()
    command = CorrectPerson(person_id=person.id, reason="婚后更名", name="林小梅", post="督导")

    after, event = decide(command, officer(), person, same_document=None, lookalikes=())

    assert after.name.plain == "林小梅"
    assert after.steps[-1].why.plain == "婚后更名"
    assert isinstance(event, PersonCorrected)
    assert event.changed == ("name", "post")


def test_a_move_to_another_division_says_where_from_and_since_when():
    person = approved()
    since = dt.date(2026, 6, 1)
    command = CorrectPerson(person_id=person.id, reason="工作调动", division=GULOU, effective_on=since)

    after, event = decide(command, officer(), person, same_document=None, lookalikes=())

    assert (after.division, event.division, event.division_before) == (GULOU, GULOU, VILLAGE)
    assert event.effective_on == since


def test_a_corrected_document_is_checked_against_all_others_too():
    person = approved()
    number = citizen(sequence=126)
    command = CorrectPerson(
        person_id=person.id, reason="证件号录错", document_kind="resident_id", document_number=number
    )

    with pytest.raises(Refused, match="document_taken"):
        decide(command, officer(), person, same_document=("p-9", SIMING), lookalikes=())

    after, _ = decide(command, officer(), person, same_document=(person.id, SIMING), lookalikes=())
    assert after.document.plain == citizen(sequence=126)


def test_a_correction_that_changes_nothing_is_refused():
    person = approved()
    command = CorrectPerson(person_id=person.id, reason="无变化", name="林晓梅")

    with pytest.raises(Refused, match="nothing_changed"):
        decide(command, officer(), person, same_document=None, lookalikes=())


def test_a_person_corrects_the_own_phone_and_is_still_found_by_likeness():
    person = approved()

    after, event = decide(CorrectOwnRecord(person_id=person.id, phone="13987654321"), self_of(person), person)

    assert after.phone.plain == "+8613987654321"
    assert after.birth_date.search == ("林晓梅|1990-03-07|+8613987654321",)
    assert event.changed == ("phone",)


def test_nobody_else_corrects_as_if_it_were_the_own_record():
    person, other = approved(), drafted(context=officer(account="acc-2"))

    for context in (self_of(other), officer()):
        with pytest.raises(Refused, match="not_found"):
            decide(CorrectOwnRecord(person_id=person.id, weekly_capacity=3), context, person)


def test_a_person_asks_for_a_correction_and_the_approving_officer_hears_of_it():
    person = approved()
    command = AskCorrection(person_id=person.id, wrong=("name",), reason="“晓”应为“小”")

    after, event, notice = decide(command, self_of(person), person)

    assert after.wrong == ("name",)
    assert after.statement.plain == command.reason
    assert isinstance(event, CorrectionAsked)
    assert notice == Notice(template="correction_asked", to="acc-officer", about=person.id, facts={"fields": "name"})


def test_the_officers_correction_settles_what_was_asked():
    person = approved()
    person = decide(AskCorrection(person_id=person.id, wrong=("name",), reason="错字"), self_of(person), person)[0]

    command = CorrectPerson(person_id=person.id, reason="本人请求", name="林小梅")
    after, _ = decide(command, officer(), person, same_document=None, lookalikes=())

    assert after.wrong == ()
