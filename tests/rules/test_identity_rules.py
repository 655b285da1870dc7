"""Rules of identity: given, when, then; what the flows on a real database do not reach."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from banyan.contracts import identity as words
from banyan.contracts import matching, registry
from banyan.contracts.identity_shapes import Competence, Ended, Workday
from banyan.kernel.context import Caller, Context, Grant
from banyan.kernel.decision import DECISIONS
from banyan.kernel.divisions import Division
from banyan.kernel.message import ACCOUNT, ANYONE, Ask, Command, contracts
from banyan.kernel.policy import Figure, Policy, seed_figures
from banyan.kernel.refusal import Refused
from services.identity import seed
from services.identity.domain import account as accounts
from services.identity.domain import division_change, figure_change, grants, partner, secrets, session, signing_key
from services.identity.domain.duties import duties, excludes

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
PROVINCE, CITY, DEED = "350000000000", "350200000000", "闽政文〔2026〕1号"
POLICY = Policy(seed_figures(seed.resources.files("services.identity").joinpath("policy.toml").read_text("utf-8")))
MODULES = (accounts, division_change, figure_change, grants, partner, session, signing_key)


def decide(record: Any, command: Any, *, actor: str = "a-admin", area: str = PROVINCE, **facts: Any) -> Any:
    caller = Caller(account=actor, grants=tuple(Grant(duty=duty, division=area) for duty in type(command).may))
    context = Context(caller=caller, now=NOW, policy=POLICY, seed=b"x", may=type(command).may)
    return DECISIONS[type(command)].decide(record, command, context, **facts)


def refuses(code: str) -> Any:
    return pytest.raises(Refused, match=code)


def account(**change: Any) -> accounts.Account:
    base = accounts.Account(
        id="a-1", division=CITY, state="open", of="person", logins=(accounts.login("local", "lin"),)
    )
    return replace(base, **change)


def test_every_command_of_identity_has_its_rule() -> None:
    ours = {c for c, d in DECISIONS.items() if d.decide.__module__ in {module.__name__ for module in MODULES}}
    assert ours == set(contracts(words, Command))


def test_the_duties_that_contracts_name_are_all_known() -> None:
    named = {duty for module in (words, matching, registry) for ask in contracts(module, Ask) for duty in ask.may}
    assert named - {ACCOUNT, ANYONE} <= set(duties())


def test_the_three_administrators_exclude_each_other() -> None:
    assert set(excludes("system_admin")) == {"security_admin", "audit_admin"}
    assert excludes("registrar") == ()


def grant(**change: Any) -> words.GrantDuty:
    return replace(words.GrantDuty(account_id="a-1", duty="registrar", division=CITY, reason="任命"), **change)


def test_a_grant_is_given_with_its_reason_and_its_giver() -> None:
    after, event = decide(account(), grant(), duties_of_person=())
    given = after.grants[0]
    assert (given.duty, given.given_by, given.reason) == ("registrar", "a-admin", "任命")
    assert (event.grant_id, event.division) == (given.id, CITY)


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (grant(duty="king"), "unknown_duty"),
        (grant(duty="system"), "unknown_duty"),
        (grant(until=dt.date(2026, 11, 23)), "grant_never_holds"),
        (grant(since=dt.date(2027, 2, 1), until=dt.date(2027, 1, 1)), "grant_never_holds"),
        (grant(fields=()), "bad_input"),
    ],
)
def test_a_grant_that_could_not_act_is_refused(order: words.GrantDuty, code: str) -> None:
    with refuses(code):
        decide(account(), order, duties_of_person=())


def test_nobody_entrusts_oneself_or_beyond_the_own_area() -> None:
    with refuses("own_grant"):
        decide(account(), grant(), actor="a-1", duties_of_person=())
    with refuses("not_found"):
        decide(account(), grant(division=PROVINCE), area=CITY, duties_of_person=())


def test_the_same_grant_twice_is_refused_but_not_after_it_was_revoked() -> None:
    once, _ = decide(account(), grant(), duties_of_person=())
    with refuses("grant_exists"):
        decide(once, grant(), duties_of_person=())
    order = words.RevokeGrant(account_id="a-1", grant_id=once.grants[0].id, reason="调离")
    ended, _ = decide(once, order, real_now=NOW)
    with refuses("grant_revoked"):
        decide(ended, order, real_now=NOW)
    assert len(decide(ended, grant(), duties_of_person=())[0].grants) == 2


def test_a_closed_account_loses_its_grants_and_its_means() -> None:
    once, _ = decide(account(password="x"), grant(), duties_of_person=())
    closed, *events = decide(once, words.CloseAccount(account_id="a-1", reason="离职"), real_now=NOW)
    assert (closed.state, closed.password, closed.held(NOW.date())) == ("closed", None, ())
    assert [type(e).__name__ for e in events] == ["AccountChanged", "GrantRevoked", "TokensRevoked"]
    with refuses("wrong_state"):
        decide(closed, grant(), duties_of_person=())


def test_a_password_is_kept_by_scrypt_and_fits_only_itself() -> None:
    kept = secrets.kept_password("a long password", "salt")
    assert secrets.password_fits("a long password", kept)
    assert not secrets.password_fits("a long passwore", kept)
    assert not secrets.password_fits("a long password", None)


def oidc(presented: session.Presented) -> Any:
    return decide(None, words.LogInOidc(id_token="x", nonce="n", secret="s" * 43), presented=presented)


def test_the_first_log_in_by_the_province_opens_a_residents_account() -> None:
    claims = {"iss": "https://id.example", "sub": "u1", "nonce": "n", "amr": ["pwd"]}
    changed, *events = oidc(session.Presented(account=None, now=NOW, claims=claims))
    assert changed[""].state == "open"
    assert changed["account"].held(NOW.date()) == ("resident",)
    assert [type(e).__name__ for e in events] == ["AccountOpened", "DutyGranted"]


@pytest.mark.parametrize(("amr", "acr"), [(["pwd"], "1"), (["pwd", "otp"], "2")])
def test_the_second_factor_of_the_province_counts(amr: list[str], acr: str) -> None:
    claims = {"iss": "https://id.example", "sub": "u1", "nonce": "n", "amr": amr}
    (opened,) = oidc(session.Presented(account=account(), now=NOW, claims=claims))
    assert (opened.state, opened.acr) == ("open", acr)


def test_another_nonce_or_a_forged_id_token_is_refused() -> None:
    for known in (
        session.Presented(account=account(), now=NOW, claims={"iss": "i", "sub": "u", "nonce": "other"}),
        session.Presented(account=None, now=NOW, fault="forged"),
    ):
        (attempt,) = oidc(known)
        assert attempt.state == "refused"


def town(code: str, name: str, **change: Any) -> Division:
    base = Division(
        code=code, parent_code=code[:6] + "000000", level="town", name=name, countable=True, kind="subdistrict"
    )
    return replace(base, **change)


COUNTY = Division(code="350203000000", parent_code=CITY, level="county", name="思明区", countable=True, kind="district")
TOP = Division(code=CITY, parent_code=PROVINCE, level="city", name="厦门市", countable=True, kind="city")
ONE, TWO = town("350203001000", "厦港街道"), town("350203002000", "中华街道")
KNOWN = (TOP, COUNTY, ONE, TWO)
DAY = dt.date(2027, 1, 1)


def move(change: Any, *rows: Division, ended: tuple[Ended, ...] = (), known: tuple[Division, ...] = KNOWN) -> Any:
    order = words.ChangeDivision(division=CITY, change=change, effective_on=DAY, document=DEED, rows=rows, ended=ended)
    _, *events = decide(None, order, next_number=1, known_divisions=known)
    return {(row.code, row.from_on): row for event in events for row in event.rows}


def test_two_towns_merge_and_the_old_code_leads_to_the_new() -> None:
    rows = move("merge", ended=(Ended(code=TWO.code, successors=(ONE.code,)),))
    assert rows == {(TWO.code, None): replace(TWO, until_on=DAY, successors=(ONE.code,))}


def test_a_town_gets_a_new_code() -> None:
    fresh = replace(TWO, code="350203009000", from_on=DAY)
    rows = move("recode", fresh, ended=(Ended(code=TWO.code, successors=(fresh.code,)),))
    assert rows[TWO.code, None].successors == (fresh.code,)
    assert rows[fresh.code, DAY] == fresh


def test_what_counts_and_whom_it_reports_to_change_with_a_day() -> None:
    for change, row in (
        ("countable", replace(TWO, countable=False, from_on=DAY)),
        ("reports_to", replace(TWO, reports_to=PROVINCE, from_on=DAY)),
    ):
        rows = move(change, row)
        assert rows == {(TWO.code, None): replace(TWO, until_on=DAY), (TWO.code, DAY): row}


@pytest.mark.parametrize(
    ("change", "rows", "ended", "code"),
    [
        ("rename", (replace(TWO, countable=False, from_on=DAY),), (), "division_row_wrong"),
        ("rename", (replace(TWO, name="新"),), (), "division_row_wrong"),
        ("rename", (town("350203077000", "无", from_on=DAY),), (), "unknown_division"),
        ("merge", (), (), "division_row_wrong"),
        ("merge", (), (Ended(code=TWO.code, successors=("350203088000",)),), "unknown_division"),
        ("merge", (), (Ended(code="350203077000", successors=(ONE.code,)),), "unknown_division"),
        ("merge", (), (Ended(code=COUNTY.code, successors=(CITY,)),), "divisions_left"),
        ("split", (), (Ended(code=TWO.code, successors=(ONE.code,)),), "division_row_wrong"),
    ],
)
def test_a_change_that_does_not_hold_together_is_refused(change: str, rows: Any, ended: Any, code: str) -> None:
    with refuses(code):
        move(change, *rows, ended=ended)


def figures(*rows: Figure, division: str = PROVINCE, known: tuple[Figure, ...] = ()) -> Any:
    order = words.SetFigures(division=division, document=DEED, rows=rows)
    return decide(None, order, next_number=1, known_figures=known)


FIGURE = Figure(name="offer_hours", since=DAY, value=24, unit="hours", source="通知")


def test_a_figure_is_set_with_its_source() -> None:
    _, event = figures(FIGURE, replace(FIGURE, division=CITY, value=12), known=(replace(FIGURE, since=dt.date(2021, 1, 1)),))
    assert [row.value for row in event.rows] == [24, 12]


@pytest.mark.parametrize(
    ("row", "division", "known", "code"),
    [
        (replace(FIGURE, value=1.5), PROVINCE, (), "bad_input"),
        (replace(FIGURE, value={"a": [0.5]}), PROVINCE, (), "bad_input"),
        (replace(FIGURE, source=""), PROVINCE, (), "bad_input"),
        (FIGURE, PROVINCE, (replace(FIGURE, unit="minutes"),), "unit_differs"),
        (replace(FIGURE, value="a day"), PROVINCE, (FIGURE,), "bad_input"),
        (replace(FIGURE, value=[24]), PROVINCE, (FIGURE,), "bad_input"),
        (replace(FIGURE, name="ofer_hours"), PROVINCE, (FIGURE,), "unknown_figure"),
        (FIGURE, CITY, (), "not_found"),
        (replace(FIGURE, division="350100000000"), CITY, (), "not_found"),
    ],
)
def test_a_figure_that_nobody_could_trust_is_refused(row: Figure, division: str, known: Any, code: str) -> None:
    with refuses(code):
        figures(row, division=division, known=known)


def test_a_name_that_no_rule_reads_is_told_with_those_that_are_near() -> None:
    with pytest.raises(Refused) as refused:
        figures(replace(FIGURE, name="ofer_hours"), known=(FIGURE, replace(FIGURE, name="crisis_numbers")))
    assert refused.value.facts == {"figure": "ofer_hours", "near": ["offer_hours"]}


def test_a_value_of_another_kind_that_slipped_in_is_set_right() -> None:
    _, event = figures(FIGURE, known=(FIGURE, replace(FIGURE, value="a day")))
    assert [row.value for row in event.rows] == [24]


def test_a_seed_leaves_what_is_known_and_adds_what_is_new() -> None:
    corrected = replace(FIGURE, value=36)
    order = words.SetFigures(
        division=PROVINCE, document=DEED, rows=(FIGURE, replace(FIGURE, name="fresh")), only_new=True
    )
    _, event = decide(None, order, next_number=2, known_figures=(corrected,))
    assert [row.name for row in event.rows] == ["fresh"]
    again = words.LoadDivisions(division=PROVINCE, book="b", document=DEED, rows=(ONE,))
    closed = replace(ONE, until_on=DAY)
    assert decide(None, again, next_number=2, known_divisions=(TOP, COUNTY, closed)) == (None,)


def workdays(first: dt.date, last: dt.date, *rows: Workday) -> Any:
    order = words.LoadWorkdays(division=PROVINCE, document=DEED, rows=rows, known_from=first, known_until=last)
    return decide(None, order, next_number=1, known_workdays=(dt.date(2004, 1, 1), dt.date(2026, 12, 31)))


def test_the_next_years_list_joins_what_is_known_and_a_gap_is_refused() -> None:
    new_year = Workday(on=dt.date(2027, 1, 1), workday=False, festival="元旦")
    assert workdays(dt.date(2027, 1, 1), dt.date(2027, 12, 31), new_year)[1].rows == (new_year,)
    with refuses("calendar_gap"):
        workdays(dt.date(2028, 1, 1), dt.date(2028, 12, 31))
    with refuses("bad_input"):
        workdays(dt.date(2027, 2, 1), dt.date(2027, 12, 31), new_year)


def test_a_duty_is_handed_over_by_the_authority_that_has_it() -> None:
    old = Competence(duty="registrar", division=PROVINCE, authority="mz", name="民政厅", since=dt.date(2021, 1, 1))
    order = words.HandOverDuty(
        division=CITY, duty="registrar", gives="mz", takes="shgz", name="社会工作部", on=DAY, document=DEED
    )
    _, event = decide(None, order, next_number=1, known_competence=(old,))
    assert (event.gave, event.competence.authority) == ("mz", "shgz")
    rows = (old, event.competence)
    named = [figure_change.competent(rows, "350203001000", day) for day in (dt.date(2026, 1, 1), DAY)]
    assert [row.authority for row in named if row] == ["mz", "shgz"]
    assert figure_change.competent(rows, "350100000000", DAY) == old
    with refuses("not_competent"):
        decide(None, replace(order, gives="other"), next_number=1, known_competence=(old,))


def test_a_private_key_is_never_published() -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"}
    order = words.PublishSigningKey(division=PROVINCE, kid="k" * 16, jwk=jwk, alg="Ed25519", use="token", from_at=NOW)
    with refuses("not_a_public_key"):
        decide(None, order, real_now=NOW, published_key=None)
