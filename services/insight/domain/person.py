"""Persons as figures see them: the four populations, by the day from which each fact holds."""

from __future__ import annotations

from datetime import date

from banyan.contracts import registry
from services.insight.domain.versions import Facts


class PersonFacts(Facts, frozen=True, kw_only=True):
    """What is so of a person's record. `suspected` and `wrong` wait for an officer; `merged_into` counts it out."""

    division: str
    state: str
    level: str
    talent_basis: str
    employer_kind: str
    community_worker: bool
    registration_until: date | None
    merged_into: str | None
    suspected: bool
    wrong: bool


def after(before: PersonFacts | None, event: registry.PersonEvent) -> PersonFacts:
    """The facts after an event of registry.person."""
    merged, suspected, wrong = (before.merged_into, before.suspected, before.wrong) if before else (None, False, False)
    match event:
        case registry.PersonMerged():
            merged, suspected = event.survivor_id, False
        case registry.PersonUnmerged():
            merged = None
        case registry.DuplicateSuspected():
            suspected = True
        case registry.DuplicateDismissed() | registry.PersonErased():
            suspected, wrong = False, False if isinstance(event, registry.PersonErased) else wrong
        case registry.CorrectionAsked():
            wrong = True
        case registry.PersonCorrected():
            wrong = False
    return PersonFacts(
        division=event.division,
        state=event.state,
        level=event.level,
        talent_basis=event.talent_basis,
        employer_kind=event.employer_kind,
        community_worker=event.community_worker,
        registration_until=event.registration_until,
        merged_into=merged,
        suspected=suspected,
        wrong=wrong,
    )
