"""Names of persons: kept exactly as given, found by what people type, sorted by pinyin.

Rare characters of GB 18030-2022, the dot · of names of other nationalities, Traditional characters and Latin letters
all stand as given. Only keys are derived; they are as personal as the name itself. Refusal: `name_format`.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from importlib import resources
from itertools import islice, product
from typing import Any

import msgspec
from pypinyin import Style, pinyin

from banyan.kernel.refusal import Refused

LONGEST = 100
READINGS_KEPT = 16
"""At most so many readings of one name are kept as keys, the likeliest first."""
_DOTS = re.compile("[·•‧∙⋅・･•.．]")
_BLANKS = re.compile(r"\s+")
_LAST = "\uffff"
_EACH: Any = list
"""pypinyin splits what it cannot read by a callable that answers a list, as documented; its type stub says str."""


class SearchKeys(msgspec.Struct, frozen=True):
    """What a name is found by: `exact` folded, `pinyin` whole without tones (every reading), `initials`, `surname`."""

    exact: str
    pinyin: tuple[str, ...]
    initials: tuple[str, ...]
    surname: str


def check_name(name: str) -> str:
    """The name exactly as given. Refuses `name_format` if it is blank, longer than 100 characters or holds controls."""
    hidden = any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in name)
    if not name.strip() or len(name) > LONGEST or hidden:
        raise Refused("name_format", longest=LONGEST)
    return name


def folded(name: str) -> str:
    """The form in which equal names are equal: one dot, no blanks between Han characters, small Latin letters."""
    plain = _DOTS.sub("·", unicodedata.normalize("NFC", name)).strip().casefold()
    return _BLANKS.sub(" " if _latin(plain) else "", plain)


def _latin(text: str) -> bool:
    return all(ord(character) < 0x300 for character in text)


@cache
def _surnames() -> dict[str, tuple[str, ...]]:
    """Surname → its readings, syllables parted by a blank."""
    table = tomllib.loads(resources.files("banyan.kernel.data").joinpath("surnames.toml").read_text("utf-8"))
    single = {surname: tuple(readings) for surname, readings in table["readings"].items()}
    return single | {surname: (reading,) for surname, reading in table["compound"].items()}


def split_name(name: str) -> tuple[str, str]:
    """Surname and given name; a name with a dot or in Latin letters has no surname that we may guess."""
    plain = folded(name)
    if "·" in plain or _latin(plain):
        return "", plain
    cut = 2 if len(plain) > 2 and plain[:2] in _surnames() else 1
    return plain[:cut], plain[cut:]


def _characters(text: str) -> list[tuple[str, ...]]:
    """The readings of each character, the likeliest first; one without any reading stands for itself."""
    readings: list[tuple[str, ...]] = []
    likely = pinyin(text, style=Style.NORMAL, v_to_u=False, errors=_EACH)
    for character, (first, *_) in zip(text, likely, strict=True):
        others = pinyin(character, style=Style.NORMAL, heteronym=True, errors=_EACH)[0]
        readings.append(tuple(dict.fromkeys((first, *others))))
    return readings


def _readings(name: str) -> list[tuple[str, ...]]:
    """Readings by syllable; a surname has its own readings from the table, else only the likeliest."""
    surname, given = split_name(name)
    if _latin(given) and not surname:
        return [(word,) for word in _without_accents(given).replace("·", " ").split()]
    known = _surnames().get(surname)
    if known is None:
        syllables = [options[:1] for options in _characters(surname)]
    else:
        syllables = [tuple(dict.fromkeys(parts)) for parts in zip(*(r.split() for r in known), strict=True)]
    return [options for options in syllables + _characters(given) if options[0] not in {"·", " "}]


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def search_keys(name: str) -> SearchKeys:
    """The keys under which a name is found; `pinyin` and `initials` hold every reading, up to READINGS_KEPT."""
    ways = list(islice(product(*_readings(name)), READINGS_KEPT))
    return SearchKeys(
        exact=folded(name),
        pinyin=tuple(dict.fromkeys("".join(way) for way in ways)),
        initials=tuple(dict.fromkeys("".join(syllable[0] for syllable in way) for way in ways)),
        surname=split_name(name)[0],
    )


def sort_key(name: str) -> str:
    """Sorts by the likeliest pinyin, syllable by syllable, then by the characters; unreadable ones come last."""
    syllables = (options[0] for options in _readings(name))
    return " ".join(s if s.isascii() else _LAST + s for s in syllables) + "\t" + folded(name)
