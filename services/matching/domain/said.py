"""What events and notices say of a request: never a name, and of a protected one nothing finer than its county."""

from __future__ import annotations

from typing import Any

from banyan.kernel.context import Context
from banyan.kernel.divisions import ancestors, level
from banyan.kernel.message import Notice
from services.matching.domain.request import Request

FINE = ("village", "town")
CRISIS = 3


def county_of(division: str) -> str:
    """The county of a village or town; a county, city or province is itself."""
    if level(division) not in FINE:
        return division
    above = (code for code in ancestors(division) if level(code) not in FINE)
    return next(above, division)


def area_said(request: Request) -> str:
    """The division that may be named outside: the county of a protected request."""
    return county_of(request.division) if request.protected else request.division


def facts(request: Request, context: Context) -> dict[str, Any]:
    """The part that every event of a request has in common."""
    return {
        "request_id": request.id,
        "division": area_said(request),
        "field": request.field,
        "client_group": request.client_group,
        "urgency": request.urgency,
        "protected": request.protected,
        "at": context.now,
    }


def notice(request: Request, template: str, to: str, *, urgent: bool = False, **more: str) -> Notice:
    """A message about a request: its number, area, field and urgency, and nothing about the person."""
    known = {
        "request": request.id,
        "division": area_said(request),
        "field": request.field,
        "urgency": str(request.urgency),
    }
    return Notice(
        template=template, to=to, about=request.id, facts=known | more, urgent=urgent or request.urgency >= CRISIS
    )
