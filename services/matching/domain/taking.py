"""Taking and assessing a request 接案 预估: what must be known, on what legal basis, and who answers for it first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from banyan.contracts.matching import (
    FileReport,
    ReportFiled,
    RequestTaken,
    RequestTriaged,
    TakeRequest,
    TriageRequest,
)
from banyan.kernel import codes
from banyan.kernel.context import Context
from banyan.kernel.decision import decides
from banyan.kernel.message import Told
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from services.matching.domain import crisis, place, said
from services.matching.domain.client import UNREGISTERED, Client, require_current
from services.matching.domain.holding import DUTY, OnDuty, at_station, deadline, guard
from services.matching.domain.request import REQUEST, Holder, Report, Request

CRISIS = 3
NOT_A_REPLACEMENT = "如有生命危险，请立即拨打上列电话。平台已呼叫值班人员，但不能代替急救与报警电话。"
CONSENT, BASES = "consent", ("consent", "statutory_duty", "emergency")
ASKED_BY = ("self", "family", "neighbour", "officer", "institution", "other")
LAST_SLOT = 20
RESIDENT = "resident"


KNOWN: dict[str, tuple[type[Client], str]] = {"known": (Client, "client_id")}


@decides(TakeRequest, on=Request, also=KNOWN, facts=("on_duty",))
def take_request(
    _: None, command: TakeRequest, context: Context, *, known: Client | None, on_duty: OnDuty
) -> tuple[Any, ...]:
    """Takes a call for help. No document and no phone is needed; a crisis calls the duty person in the same moment."""
    _check_codes(command)
    require_current(known)
    subject, client = _client(command, context)
    level, kind = _confidentiality(command)
    _check_basis(command, level)
    request = Request(
        id=context.new_id(Request.prefix),
        state=REQUEST.initial,
        subject_id=subject,
        client_id=client,
        taken_at=context.now,
        taken_by=context.actor,
        earlier_workers=(command.earlier_worker,) if command.earlier_worker else (),
        confidentiality=level,
        protected_kind=kind,
        receivers=_receivers(command.receivers, context, level),
        report=_report(command, context),
        holder=None,
        due_at=None,
        **_as_given(command),
        **_private(command),
    )
    request = replace(request, holder=_first_holder(request, context, on_duty))
    request = deadline(request, context, "triage_hours")
    taken = RequestTaken(**_taken(request), **said.facts(request, context))
    if request.urgency < CRISIS:
        assert request.holder is not None, "no request without a holder"
        return request, taken, said.notice(request, "taken", request.holder.address())
    after, *calls = crisis.begin(request, context, on_duty)
    first = Told(facts={"call_first": list(context.figure("crisis_numbers")), "says": NOT_A_REPLACEMENT})
    return after, taken, *calls, said.notice(after, "crisis_taken", context.actor, urgent=True), first


def _as_given(command: TakeRequest) -> dict[str, Any]:
    """The fields that are kept just as they were given."""
    names = (
        "division", "household_id", "asked_by", "purpose", "legal_basis", "notice_version", "consent", "client_group",
        "field", "functions", "urgency", "languages", "languages_wished", "sex_wanted", "level_wanted", "slots",
        "excluded_workers", "minor", "guardian",
    )  # fmt: skip
    return {name: getattr(command, name) for name in names} | place.kept(command.point)


def _private(command: TakeRequest) -> dict[str, Any]:
    """What is about the person, to be sealed; contacts are found by their last four digits."""
    contacts = msgspec.json.encode(command.contacts).decode() if command.contacts else None
    phones = tuple(c.phone for c in command.contacts if c.phone)
    return {
        "client_name": _sealed(command.client_name, "name", command.client_name),
        "contacts": _sealed(contacts, "contacts", *phones),
        "story": _sealed(command.story, "need"),
        "address": _sealed(command.address, "address"),
    }


def _sealed(text: str | None, kind: str, *search: str | None) -> Private | None:
    return Private(text, kind=kind, search=tuple(s for s in search if s)) if text else None


def _check_codes(command: TakeRequest) -> None:
    """Refuses `unknown_code` and `bad_input` for what no table or range holds."""
    pairs = [("client_group", command.client_group), ("field", command.field), ("urgency", str(command.urgency))]
    pairs += [("function", code) for code in command.functions]
    pairs += [("language", code) for code in (*command.languages, *command.languages_wished)]
    pairs += [("sex", command.sex_wanted)] if command.sex_wanted else []
    pairs += [("level", command.level_wanted)] if command.level_wanted else []
    for kind, code in pairs:
        codes.require(kind, code)
    if not command.functions:
        raise Refused("bad_input", field="functions", detail="at least one function")
    if command.asked_by not in ASKED_BY:
        raise Refused("bad_input", field="asked_by", detail=", ".join(ASKED_BY))
    if any(not 0 <= slot <= LAST_SLOT for slot in command.slots):
        raise Refused("bad_input", field="slots", detail=f"0-{LAST_SLOT}")


def _client(command: TakeRequest, context: Context) -> tuple[str, str | None]:
    """(whose key seals it, the client's id). Residents asking for themselves are the client; the unknown get an id."""
    if context.own_only and command.client_id and command.client_id != context.caller.person:
        raise Refused("not_found")
    own = context.caller.person if context.own_only and command.asked_by == "self" else None
    client = command.client_id or own or context.new_id(UNREGISTERED)
    return client, client


def _confidentiality(command: TakeRequest) -> tuple[str, str | None]:
    """The level and, where protected, the kind: a minor's request is always protected."""
    if command.minor and command.confidentiality != "protected":
        return "protected", "minor"
    return checked_confidentiality(command.confidentiality, command.protected_kind)


def checked_confidentiality(level: str, kind: str | None) -> tuple[str, str | None]:
    """A level and the kind that a protected one must name; refuses `protected_kind_missing` and `unknown_code`."""
    codes.require("confidentiality", level)
    if level != "protected":
        return level, None
    if kind is None:
        raise Refused("protected_kind_missing")
    return level, codes.require("protected_kind", kind)


def _check_basis(command: TakeRequest, level: str) -> None:
    """Every record has a legal basis; consent is evidenced, separately for what is sensitive; a guardian consents for a
    minor unless the guardian is the suspect. In a crisis help comes first and consent is asked for afterwards."""
    if command.legal_basis not in BASES:
        raise Refused("bad_input", field="legal_basis", detail=", ".join(BASES))
    if not command.purpose.strip() or not command.notice_version.strip():
        raise Refused("notice_missing")
    if command.urgency >= CRISIS:
        return
    if command.legal_basis == CONSENT and not command.consent:
        raise Refused("consent_missing")
    if command.legal_basis == CONSENT and level != "ordinary" and not command.separate_consent:
        raise Refused("separate_consent_missing", confidentiality=level)
    guardian = command.guardian
    if command.minor and not (guardian and (guardian.consent or guardian.suspect)):
        raise Refused("guardian_consent_missing")


def _receivers(given: tuple[str, ...], context: Context, level: str) -> tuple[str, ...]:
    """Who may know of a protected request: those named, and the officer who takes it; a resident names nobody."""
    if level != "protected":
        return ()
    taker = () if context.own_only else (context.actor,)
    return tuple(dict.fromkeys((*given, *taker)))


def _report(command: TakeRequest, context: Context) -> Report | None:
    """A mandatory report where one is named, or where a minor's guardian is the suspect."""
    suspect = command.guardian is not None and command.guardian.suspect
    if not command.report_to and not suspect:
        return None
    recipient = command.report_to or context.figure("mandatory_report_to", division=command.division)
    return report_due(recipient, context, command.division)


def report_due(recipient: str, context: Context, division: str) -> Report:
    """A report with its deadline."""
    hours = context.figure("mandatory_report_hours", division=division)
    return Report(recipient=recipient, due_at=context.now + timedelta(hours=hours))


def _first_holder(request: Request, context: Context, on_duty: OnDuty) -> Holder:
    """The station; of a protected request the officer who took it, else the county's first duty person, by name."""
    if not request.protected:
        return at_station(request, context)
    station = at_station(request, context, DUTY)
    if request.taken_by in request.receivers:
        return Holder(account=request.taken_by)
    return next((Holder(account=people[0]) for tier, people in on_duty if tier == station.division and people), station)


def _taken(request: Request) -> dict[str, Any]:
    """What the first event adds; of a protected request neither the client nor the functions."""
    if request.protected:
        return {"client_id": None, "asked_by": request.asked_by, "functions": ()}
    return {"client_id": request.client_id, "asked_by": request.asked_by, "functions": request.functions}


@decides(TriageRequest, on=Request, key="request_id", facts=("on_duty",))
def triage_request(request: Request, command: TriageRequest, context: Context, *, on_duty: OnDuty) -> tuple[Any, ...]:
    """An officer assesses urgency, field, functions and confidentiality, and answers for the request from now on."""
    guard(request, context)
    after = replace(_assessed(request, command, context), state=REQUEST.move("triage", request.state))
    after = replace(after, holder=Holder(account=context.actor), candidates=())
    after = deadline(after, context, "dispatch_hours")
    events = []
    if request.crisis and not request.crisis.acknowledged_by:
        after, *events = crisis.acknowledged(after, context)
    elif after.urgency >= CRISIS and request.crisis is None:
        after, *events = crisis.begin(after, context, on_duty)
    functions = () if after.protected else after.functions
    direct = dispatches_directly(after, context)
    facts = said.facts(after, context)
    triaged = RequestTriaged(confidentiality=after.confidentiality, functions=functions, direct=direct, **facts)
    return after, triaged, *events


def _assessed(request: Request, command: TriageRequest, context: Context) -> Request:
    codes.require("urgency", str(command.urgency))
    codes.require("field", command.field)
    for code in command.functions or ("",):
        codes.require("function", code)
    if request.minor and command.confidentiality != "protected":
        raise Refused("minor_is_protected")
    level, kind = checked_confidentiality(command.confidentiality, command.protected_kind)
    named = (*request.receivers, *command.receivers)
    report = report_due(command.report_to, context, request.division) if command.report_to else request.report
    return replace(
        request,
        urgency=command.urgency,
        field=command.field,
        functions=command.functions,
        confidentiality=level,
        protected_kind=kind,
        receivers=_receivers(named, context, level),
        report=report,
        triage_note=_sealed(command.note, "need") or request.triage_note,
    )


def dispatches_directly(request: Request, context: Context) -> bool:
    """Whether Banyan dispatches by itself: policy by division and urgency; never protected, never a crisis."""
    modes = context.figure("dispatch_mode", division=request.division)
    return not request.protected and request.urgency < CRISIS and modes[request.urgency] == "direct"


@decides(FileReport, on=Request, key="request_id")
def file_report(request: Request, command: FileReport, context: Context) -> tuple[Any, ...]:
    """The mandatory report was received; its receipt is kept."""
    guard(request, context)
    if request.report is None or request.report.receipt:
        raise Refused("no_report_due")
    if not command.receipt.strip():
        raise Refused("receipt_missing")
    filed = replace(request.report, receipt=command.receipt, filed_at=context.now, filed_by=context.actor)
    return replace(request, report=filed), ReportFiled(recipient=filed.recipient, **said.facts(request, context))
