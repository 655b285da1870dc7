"""Particulars 基本信息: from what was typed to what is kept; each function checks one thing, and seals it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from banyan.contracts.registry import Certificate
from banyan.kernel import documents, names
from banyan.kernel.codes import CODES
from banyan.kernel.context import Context
from banyan.kernel.personal import Private
from banyan.kernel.refusal import Refused
from services.registry.domain.person import NONE, Held

REMEMBERED = 65_536
"""So many names and documents of a bulk import are worked out once; a limit of memory, not a figure."""


@lru_cache(maxsize=REMEMBERED)
def name_words(name: str) -> tuple[str, ...]:
    """What a name is found by; the first word is for equality. Letters before the colon keep the ways apart."""
    keys = names.search_keys(name)
    surname = (f"surname:{keys.surname}",) if keys.surname else ()
    pinyin = (f"pinyin:{word}" for word in keys.pinyin)
    initials = (f"initials:{word}" for word in keys.initials)
    return (f"exact:{keys.exact}", *surname, *pinyin, *initials)


def asked_words(text: str) -> tuple[str, ...]:
    """The words that a search text may stand for: an exact name, a surname, pinyin or initials."""
    plain = names.folded(text)
    latin = "".join(plain.split())
    return (f"exact:{plain}", f"surname:{plain}", f"pinyin:{latin}", f"initials:{latin}")


def sort_key(name: str) -> str:
    """Coarse order by pinyin: the surname and one letter of what follows. It is kept unsealed, so it tells no more."""
    surname, given = names.split_name(name)
    return _sort_key(surname or given[:1], given[:1] if surname else given[1:2])


@lru_cache(maxsize=REMEMBERED)
def _sort_key(surname: str, begins: str) -> str:
    syllables = names.sort_key(surname + begins).split("\t")[0].split(" ")
    known = [word for word in syllables if word.isascii()]
    if len(known) < len(syllables):
        return "~"  # without a reading: after all letters
    return " ".join([*known[: len(surname)], *(word[0] for word in known[len(surname) :])])


def sealed_name(name: str) -> Private:
    """A name exactly as given. Refuses `name_format`."""
    return Private(names.check_name(name), kind="name", search=name_words(name))


def checked_document(
    kind: str, number: str, context: Context, *, birth_date: date | None, sex: str | None
) -> documents.Checked:
    """Checks a document against itself, the stated birth date and sex. Refuses as kernel.documents does."""
    CODES["document"].require(kind)
    return documents.check(kind, number, birth_on=birth_date, sex=sex, today=context.today)


def document_word(kind: str, normalised: str) -> str:
    """By which equal documents are found."""
    return f"{kind}:{normalised}"


def sealed_document(kind: str, normalised: str) -> Private:
    """A document number as kept, found whole and by its last four characters."""
    words = (document_word(kind, normalised), last4_word(normalised))
    return Private(normalised, kind="document", search=words)


def last4_word(number: str) -> str:
    """By which numbers with the same last four characters are found; it leaks as much, see the threat model."""
    return f"last4:{number[-4:].upper()}"


def sealed_phone(text: str) -> Private:
    """A phone in E.164, found whole and by its last four digits. Refuses `phone_format`."""
    e164 = documents.phone(text)
    return Private(e164, kind="phone", search=(e164, last4_word(e164)))


def sealed_birth_date(birth_date: date, name: str, phone: str | None) -> Private:
    """A birth date. With a phone, name and birth date and phone together are what probable duplicates share."""
    words = (likeness(name, birth_date, phone),) if phone else ()
    return Private(birth_date.isoformat(), kind="birth_date", search=words)


def likeness(name: str, birth_date: date, phone: str) -> str:
    """The word that two records of probably one person share."""
    return f"{names.folded(name)}|{birth_date.isoformat()}|{phone}"


def sealed_code(table: str, code: str | None) -> Private | None:
    """A code of a national table that is personal. Refuses `unknown_code`."""
    return None if code is None else Private(CODES[table].require(code), kind=table)


def coded(table: str, code: str) -> str:
    """A code of a table, or none. Refuses `unknown_code`."""
    return code if code == NONE else CODES[table].require(code)


def coded_all(table: str, codes: Iterable[str]) -> tuple[str, ...]:
    """Codes of a table, each once, in the order given. Refuses `unknown_code`."""
    return tuple(dict.fromkeys(CODES[table].require(code) for code in codes))


def resolved(division: str, context: Context) -> str:
    """The division in force today that a code means. Refuses `unknown_division` and `division_split`."""
    return context.divisions.resolve(division, context.today) if context.divisions else division


def held(certificate: Certificate, context: Context) -> Held:
    """A certificate as kept. Refuses an unknown level, and `date_in_future`."""
    CODES["level"].require(certificate.level)
    require_past("passed_on", certificate.passed_on, context)
    number = Private(certificate.number.strip(), kind="certificate")
    return Held(level=certificate.level, number=number, passed_on=certificate.passed_on)


def require_past(field: str, day: date, context: Context) -> date:
    """A day that has come. Refuses `date_in_future`."""
    if day > context.today:
        raise Refused("date_in_future", field=field, on=day.isoformat(), today=context.today.isoformat())
    return day


def capacity(times_a_week: int, context: Context) -> int:
    """How many times a week a person can serve. Refuses `capacity_out_of_range`."""
    most: int = context.figure("weekly_capacity_max")
    if not 0 <= times_a_week <= most:
        raise Refused("capacity_out_of_range", given=times_a_week, most=most)
    return times_a_week
