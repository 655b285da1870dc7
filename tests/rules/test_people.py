"""Generated people: the same from the same seed, valid in every check, and said to be generated."""

from __future__ import annotations

from banyan.kernel import documents, names
from banyan.kernel.codes import CODES
from banyan.testkit.people import people
from services.identity.data import divisions

VILLAGES = [row.code for row in divisions() if row.level == "village" and row.countable and not row.until_on]


def test_the_same_seed_gives_the_same_people() -> None:
    assert list(people(7, 50, VILLAGES)) == list(people(7, 50, VILLAGES))
    assert list(people(7, 50, VILLAGES)) != list(people(8, 50, VILLAGES))


def test_every_person_passes_every_check_and_says_what_it_is() -> None:
    made = list(people(20_260_301, 4_000, VILLAGES))
    warned = 0
    for person in made:
        checked = documents.check(
            person["document_kind"], person["document_number"], birth_on=person["birth_date"], sex=person["sex"]
        )
        warned += bool(checked.warnings)
        assert documents.phone(person["phone"]) == person["phone"]
        assert names.check_name(person["name"]) and person["generated"] is True
        for kind in ("ethnicity", "education", "political_status", "employer_kind", "talent_basis"):
            CODES[kind].require(person[kind])
        assert all(code in CODES["language"] for code in person["languages"])
        assert all(code in CODES["field"] for code in person["fields"])
    assert warned == 0
    for key in ("document_number", "phone"):
        assert len({person[key] for person in made}) == len(made), key


def test_speech_fits_the_place() -> None:
    xiamen = [code for code in VILLAGES if code.startswith("3502")]
    spoken = [person["languages"] for person in people(1, 200, xiamen)]
    assert sum("minnan" in languages for languages in spoken) > 120
    assert not any("puxian" in languages for languages in spoken)


def test_a_whole_county_fits_into_one_village() -> None:
    made = list(people(3, 3_000, VILLAGES[:1]))
    assert len({person["document_number"] for person in made}) == 3_000
