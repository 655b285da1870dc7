"""Numbers of documents, phones and organisations: format, checksum, date and sex; never the person behind them.

Refusals: `document_format`, `document_checksum`, `document_date`, `document_sex`, `phone_format` and
`credit_code_invalid`; their facts never contain the number. GB 11643-1999 rules the 18-digit ones. python-stdnum does
the arithmetic, but not its `ric.validate`, which refuses an unknown region: published tables disagree; here it warns.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from functools import lru_cache

import msgspec
from stdnum import exceptions as wrong
from stdnum import numdb
from stdnum.cn import ric, uscc

from banyan.kernel.refusal import Refused

MALE, FEMALE = "1", "2"
_18_DIGITS = re.compile(r"[1-9]\d{16}[\dX]", re.ASCII)
_HMT_REGIONS = ("810000", "820000", "830000")
_HK_MACAO = re.compile(r"[HM]\d{8}(\d\d)?", re.ASCII)
_TAIWAN = re.compile(r"\d{8}", re.ASCII)
_OLD_RESIDENCE_CARD = re.compile(r"[A-Z]{3}\d{12}", re.ASCII)
_PASSPORT = re.compile(r"(?=.*\d)[A-Z0-9]{5,15}", re.ASCII)
_MOBILE = re.compile(r"(?:\+?86|0086)?(1[3-9]\d{9})", re.ASCII)
_LANDLINE = re.compile(r"(?:(?:\+?86|0086)0?|0)((?:10|2\d|[3-9]\d{2})[2-8]\d{6,7})", re.ASCII)
_ABROAD = re.compile(r"(?:\+|00)([1-9]\d{7,14})", re.ASCII)


class Checked(msgspec.Struct, frozen=True):
    """A number that holds together: as to be kept, birth date and sex (GB/T 2261.1) if it states them, and warnings
    (`unknown_region`, `region_of_hmt_residents`, `issue_number_dropped`) for a person to look at."""

    normalised: str
    birth_on: date | None = None
    sex: str | None = None
    warnings: tuple[str, ...] = ()


def check(
    kind: str, number: str, *, birth_on: date | None = None, sex: str | None = None, today: date | None = None
) -> Checked:
    """Checks a document number of a kind against itself and against the stated birth date and sex.

    `today` refuses a birth in the future. An unknown kind is refused as `unknown_code`; see KINDS."""
    if kind not in KINDS:
        raise Refused("unknown_code", kind="document", value=kind)
    checked = KINDS[kind](tidy(number))
    if checked.birth_on is not None:
        if birth_on is not None and checked.birth_on != birth_on:
            raise Refused("document_date", kind=kind, reason="differs_from_stated")
        if today is not None and checked.birth_on > today:
            raise Refused("document_date", kind=kind, reason="in_the_future")
    if checked.sex is not None and sex in (MALE, FEMALE) and checked.sex != sex:
        raise Refused("document_sex", kind=kind)
    return checked


def tidy(number: str) -> str:
    """Full-width digits and letters made plain, upper case, without blanks, dashes and brackets."""
    return re.sub(r"[\s\-–—()\[\]·]", "", unicodedata.normalize("NFKC", number)).upper()


def _citizen_number(kind: str, number: str) -> Checked:
    """GB 11643: region 6, birth date 8, sequence 3 (odd male, even female), check character by ISO 7064 MOD 11-2."""
    if not _18_DIGITS.fullmatch(number):
        raise Refused("document_format", kind=kind)
    try:
        born = ric.get_birth_date(number)
    except wrong.InvalidComponent:
        raise Refused("document_date", kind=kind, reason="no_such_day") from None
    if ric.calc_check_digit(number) != number[-1]:
        raise Refused("document_checksum", kind=kind)
    return Checked(number, born, MALE if int(number[16]) % 2 else FEMALE)


def _resident_id(number: str) -> Checked:
    if number.startswith("9"):
        raise Refused("document_format", kind="resident_id", looks_like="foreign_permanent_residence")
    checked = _citizen_number("resident_id", number)
    if number[:6] in _HMT_REGIONS:
        return msgspec.structs.replace(checked, warnings=("region_of_hmt_residents",))
    return checked if _region_known(number[:6]) else msgspec.structs.replace(checked, warnings=("unknown_region",))


@lru_cache(maxsize=16_384)
def _region_known(region: str) -> bool:
    """Whether python-stdnum's table has the region at all, in whatever year.

    Numbers were first given out in 1984 with the codes of that time, so a birth year says little about the region."""
    return any(facts for _, facts in numdb.get("cn/loc").info(region))


def _hmt_residence_permit(number: str) -> Checked:
    """Residence permit of Hong Kong (810000), Macao (820000) and Taiwan (830000) residents 港澳台居民居住证."""
    if number[:6] not in _HMT_REGIONS:
        raise Refused("document_format", kind="hmt_residence_permit")
    return _citizen_number("hmt_residence_permit", number)


def _hm_travel_permit(number: str) -> Checked:
    """港澳居民来往内地通行证: H or M and 8 digits for life; two digits of the issue may follow and are dropped."""
    if not _HK_MACAO.fullmatch(number):
        raise Refused("document_format", kind="hm_travel_permit")
    return Checked(number[:9], warnings=("issue_number_dropped",) if number[9:] else ())


def _taiwan_travel_permit(number: str) -> Checked:
    """台湾居民来往大陆通行证: 8 digits."""
    if not _TAIWAN.fullmatch(number):
        raise Refused("document_format", kind="taiwan_travel_permit")
    return Checked(number)


def _foreign_permanent_residence(number: str) -> Checked:
    """外国人永久居留身份证: until 2023-11 3 letters and 12 digits (form only); since then 18 digits that begin with
    9 and carry date and check character as a citizen number does. ‡ Its sex digit is not confirmed, so not read."""
    if _OLD_RESIDENCE_CARD.fullmatch(number):
        return Checked(number)
    if not number.startswith("9"):
        raise Refused("document_format", kind="foreign_permanent_residence")
    return msgspec.structs.replace(_citizen_number("foreign_permanent_residence", number), sex=None)


def _passport(number: str) -> Checked:
    """Passports of all countries: 5-15 letters and digits, at least one digit; they share no checksum."""
    if not _PASSPORT.fullmatch(number):
        raise Refused("document_format", kind="passport")
    return Checked(number)


KINDS: dict[str, Callable[[str], Checked]] = {
    "resident_id": _resident_id,
    "hmt_residence_permit": _hmt_residence_permit,
    "hm_travel_permit": _hm_travel_permit,
    "taiwan_travel_permit": _taiwan_travel_permit,
    "foreign_permanent_residence": _foreign_permanent_residence,
    "passport": _passport,
}


def check_character(seventeen: str) -> str:
    """The 18th character of a citizen number from its first 17 digits."""
    return ric.calc_check_digit(seventeen + "0")


def masked(number: str) -> str:
    """A document number as shown: all but the last 4 hidden, of a short one all but the last 2."""
    shown = 4 if len(number) > 8 else 2
    return "*" * (len(number) - shown) + number[-shown:] if len(number) > shown else "*" * len(number)


def phone(text: str) -> str:
    """A phone number in E.164; mainland mobiles and landlines with area code need no +86. Refuses `phone_format`."""
    plain = re.sub(r"[.]", "", tidy(text))
    if not plain.isascii():
        raise Refused("phone_format")
    if mainland := _MOBILE.fullmatch(plain) or _LANDLINE.fullmatch(plain):
        return "+86" + mainland[1]
    abroad = _ABROAD.fullmatch(plain)
    if abroad is None or abroad[1].startswith("86"):
        raise Refused("phone_format")
    return "+" + abroad[1]


def masked_phone(e164: str) -> str:
    """A phone number as shown: 138****1234 for a mainland mobile, else all but the last 4 digits hidden."""
    local = e164.removeprefix("+86")
    if _MOBILE.fullmatch(local):
        return f"{local[:3]}****{local[-4:]}"
    return "*" * max(len(local) - 4, 0) + local[-4:]


def credit_code(text: str) -> str:
    """A unified social credit code 统一社会信用代码 (GB 32100-2015) as kept. Refuses `credit_code_invalid`.

    python-stdnum wants 8 leading digits, so rural collectives (N…) are refused too; they are no agencies."""
    try:
        return uscc.validate(tidy(text))
    except wrong.ValidationError:
        raise Refused("credit_code_invalid") from None
