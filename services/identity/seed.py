"""The commands that give an empty instance its reference data and its first operator; each under a key of its own, so
that to run them again changes nothing, and a file that changed is loaded anew."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources

import msgspec

from banyan.contracts.identity import (
    AgreePartner,
    EnrolSecondFactor,
    GrantDuty,
    LoadDivisions,
    LoadWorkdays,
    OpenAccount,
    PublishSigningKey,
    SetFigures,
    SetPassword,
)
from banyan.contracts.identity_shapes import ROWS, Workday
from banyan.kernel.divisions import Division
from banyan.kernel.message import Command
from banyan.kernel.policy import seed_figures
from services.identity import data
from services.identity.domain.account import LOCAL
from services.identity.domain.secrets import codes_of

PROVINCE = "350000000000"
DEED = "平台初始数据"
CHUNK = 480
"""Divisions of one command: its body stays far below 1 MiB."""
Keyed = tuple[str, Command]


def _keyed(name: str, command: Command) -> Keyed:
    digest = hashlib.sha256(msgspec.json.encode(command)).hexdigest()[:16]
    return f"seed:{name}:{digest}", command


def divisions(rows: Iterable[Division] | None = None) -> Iterator[Keyed]:
    """Every division of the province, parents before children; or the rows given."""
    every = tuple(rows if rows is not None else data.divisions())
    for number, start in enumerate(range(0, len(every), CHUNK)):
        book = f"fujian.{number:03}"
        command = LoadDivisions(division=PROVINCE, book=book, document=DEED, rows=every[start : start + CHUNK])
        yield _keyed(book, command)


def _exceptions() -> Iterator[Workday]:
    """The days against the rule of the week."""
    text = resources.files("services.identity.data").joinpath("workdays.csv").read_text("utf-8")
    for row in csv.DictReader(text.splitlines()):
        yield Workday(on=dt.date.fromisoformat(row["on"]), workday=row["workday"] == "1", festival=row["festival"])


def workdays() -> Iterator[Keyed]:
    """The mainland calendar that is known, in spans that join."""
    calendar = data.calendar()
    years = range(calendar.known_from.year, calendar.known_until.year + 1)
    half = len(years) // 2
    for part in (years[:half], years[half:]):
        first = max(dt.date(part[0], 1, 1), calendar.known_from)
        last = min(dt.date(part[-1], 12, 31), calendar.known_until)
        rows = tuple(row for row in _exceptions() if first <= row.on <= last)
        assert len(rows) <= ROWS, "one command carries one span"
        load = LoadWorkdays(division=PROVINCE, document=DEED, rows=rows, known_from=first, known_until=last)
        yield _keyed(f"workdays.{first.year}", load)


def figures(policies: Mapping[str, str]) -> Iterator[Keyed]:
    """The figures of every service: its name → the text of its policy.toml."""
    for service, text in sorted(policies.items()):
        rows = tuple(seed_figures(text))
        if rows:
            yield _keyed(f"figures.{service}", SetFigures(division=PROVINCE, document=DEED, rows=rows, only_new=True))


def signing_keys(jwks: Mapping[str, dict[str, str]], from_at: dt.datetime | None = None) -> Iterator[Keyed]:
    """The instance's public keys by kid, for heads and for tokens; published again they stay as they are."""
    for kid, jwk in sorted(jwks.items()):
        for use in ("head", "token"):
            command = PublishSigningKey(
                division=PROVINCE, kid=kid, jwk=dict(jwk), alg=jwk["alg"], use=use, from_at=from_at
            )
            yield _keyed(f"key:{use}:{kid}", command)


def reference(policies: Mapping[str, str]) -> Iterator[Keyed]:
    """All reference data: figures first, since every other command may read them."""
    yield from figures(policies)
    yield from workdays()
    yield from divisions()


def operator(username: str) -> Keyed:
    """The first account, of the local issuer; its id is in the answer."""
    return f"seed:operator:{username}", OpenAccount(division=PROVINCE, issuer=LOCAL, subject=username)


def entrust(account_id: str, duties: Iterable[str], division: str = PROVINCE) -> Iterator[Keyed]:
    """Duties for an account."""
    for duty in duties:
        command = GrantDuty(account_id=account_id, duty=duty, division=division, reason="平台初始授权")
        yield f"seed:grant:{account_id}:{duty}:{division}", command


def password(account_id: str, chosen: str, nonce: str) -> Keyed:
    """A password; `nonce` is 32 random bytes in base64url, kept nowhere."""
    return f"seed:password:{account_id}:{nonce}", SetPassword(account_id=account_id, password=chosen, nonce=nonce)


def second_factor(account_id: str, username: str, chosen: str, nonce: str) -> tuple[Keyed, str]:
    """A seed of one-time codes (base32) for an account, and the otpauth address that an authenticator app scans."""
    command = EnrolSecondFactor(account_id=account_id, totp=chosen)
    return (f"seed:totp:{account_id}:{nonce}", command), codes_of(chosen).get_provisioning_uri(username, "榕 Banyan")


def partner(account_id: str, name: str, streams: Iterable[str]) -> Keyed:
    """An agreement over whole streams, such as the demo's: who reads them proves everything that is told."""
    command = AgreePartner(
        division=PROVINCE,
        partner=account_id,
        name=name,
        streams=dict.fromkeys(sorted(streams), ("*",)),
        purpose="核验全部事件流",
        legal_basis=DEED,
    )
    return f"seed:partner:{account_id}", command
