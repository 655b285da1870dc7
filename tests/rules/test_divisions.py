"""Divisions: levels, containment, the dated tree, jurisdiction, and the province's own counts."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from banyan.kernel import divisions as d
from banyan.kernel.refusal import Refused
from services.identity import data

ON = date(2026, 3, 1)
BEFORE = date(2020, 12, 31)
PROVINCE, FUZHOU, XIAMEN, PINGTAN = "350000000000", "350100000000", "350200000000", "350128000000"


@pytest.fixture(scope="module")
def tree() -> d.Tree:
    return data.tree()


@pytest.mark.parametrize(
    ("code", "level"),
    [
        (PROVINCE, "province"),
        (FUZHOU, "city"),
        (PINGTAN, "county"),
        ("350128001000", "town"),
        ("350128001001", "village"),
        ("441900003000", "town"),
    ],
)
def test_the_level_follows_from_the_trailing_zeros(code: str, level: str) -> None:
    assert d.level(code) == level


@pytest.mark.parametrize("code", ["", "35", "35010000000x", "000000000000", "３５0100000000", "3501000000000"])
def test_anything_but_twelve_digits_is_refused(code: str) -> None:
    with pytest.raises(Refused) as no:
        d.level(code)
    assert no.value.code == "malformed_division"


def test_ancestors_are_nearest_first_and_leave_out_empty_levels() -> None:
    assert d.ancestors("350128001001") == ("350128001000", PINGTAN, FUZHOU, PROVINCE)
    assert d.ancestors(PROVINCE) == ()
    assert d.ancestors("441900003000") == ("441900000000", "440000000000")


def test_containment_is_by_prefix_and_includes_the_area_itself() -> None:
    assert d.contains(XIAMEN, XIAMEN) and d.contains(XIAMEN, "350203001001") and d.contains(PROVINCE, XIAMEN)
    assert not d.contains(XIAMEN, FUZHOU) and not d.contains(XIAMEN, PROVINCE)
    assert d.prefix("350203001000") == "350203001"


def test_the_counts_are_the_provinces_own(tree: d.Tree) -> None:
    levels = Counter(row.level for row in tree.standing(ON))
    assert levels == {"province": 1, "city": 9, "county": 84, "town": 1_169, "village": 17_497}
    towns = [row for row in tree.standing(ON, "town") if row.countable]
    assert len(towns) == 1_106
    kinds = Counter(row.kind for row in tree.standing(ON, "village"))
    assert (kinds["residents_committee"], kinds["pseudo_village"]) == (3_089, 149)
    under = Counter(
        tree.get(row.parent_code, ON).kind for row in tree.standing(ON, "village") if row.kind == "residents_committee"
    )
    assert (under["subdistrict"], under["town"]) == (1_789, 1_194)


def test_every_row_agrees_with_its_code(tree: d.Tree) -> None:
    for row in data.divisions():
        assert row.kind == d.kind_of(row.code, row.name) and row.countable == d.counts(row.code, row.name), row
        assert row.parent_code == (d.ancestors(row.code) or ("",))[0], row
        assert all(tree.resolve(code, ON) for code in row.successors), row


def test_jinmen_stands_but_counts_nowhere(tree: d.Tree) -> None:
    assert tree.exists("350527000000", ON) and not tree.countable("350527000000", ON)
    assert tree.children("350527000000", ON) == ()
    assert sum(row.countable for row in tree.standing(ON, "county")) == 83


def test_a_retired_code_resolves_to_its_successor_on_a_day(tree: d.Tree) -> None:
    assert tree.resolve("350427000000", ON) == "350405000000"
    assert tree.resolve("350402000000", ON) == tree.resolve("350403000000", ON) == "350404000000"
    assert tree.resolve("350427000000", BEFORE) == "350427000000"
    assert tree.get("350427000000", BEFORE).name == "沙县" and tree.get("350427000000", ON).name == "沙县区"


def test_the_towns_and_villages_of_a_retired_county_follow_it(tree: d.Tree) -> None:
    assert tree.resolve("350427001000", ON) == "350405001000"
    assert tree.get("350402001000", ON).name == "列东街道"
    assert tree.path_names("350427001001", BEFORE)[:4] == ("福建省", "三明市", "沙县", "凤岗街道")
    assert tree.within("350405000000", "350427001001", ON)
    retired = [row for row in data.divisions() if row.until_on and row.level == "village"]
    assert len(retired) == 708 and sum(bool(row.successors) for row in retired) == 679


@pytest.mark.parametrize(("code", "on"), [("350681100000", ON), ("350999000000", ON), ("350405000000", BEFORE)])
def test_an_unknown_code_or_one_not_yet_made_is_refused(tree: d.Tree, code: str, on: date) -> None:
    with pytest.raises(Refused) as no:
        tree.resolve(code, on)
    assert no.value.code == "unknown_division" and no.value.facts["division"] == code


def test_a_split_division_asks_a_person_to_choose_and_stays_under_its_old_parent() -> None:
    day = date(2024, 1, 1)
    row = {"parent_code": XIAMEN, "level": "county", "countable": True, "kind": "district"}
    tree = d.Tree(
        [
            d.Division(code=XIAMEN, parent_code="", level="city", name="甲市", countable=True, kind="city"),
            d.Division(
                code="350203000000", name="乙区", until_on=day, successors=("350205000000", "350206000000"), **row
            ),
            d.Division(code="350205000000", name="丙区", from_on=day, **row),
            d.Division(code="350206000000", name="丁区", from_on=day, **row),
        ]
    )
    with pytest.raises(Refused) as no:
        tree.resolve("350203000000", day)
    assert no.value.code == "division_split" and no.value.facts["successors"] == ["350205000000", "350206000000"]
    assert tree.within(XIAMEN, "350203000000", day) and not tree.within("350205000000", "350203000000", day)
    assert [row.name for row in tree.children(XIAMEN, day)] == ["丙区", "丁区"]


def test_pingtan_reports_to_the_province_and_not_to_fuzhou(tree: d.Tree) -> None:
    village = "350128001001"
    assert d.contains(FUZHOU, village)
    assert (
        not tree.within(FUZHOU, village, ON)
        and tree.within(PROVINCE, village, ON)
        and tree.within(PINGTAN, village, ON)
    )
    assert tree.within(FUZHOU, village, date(2009, 1, 1))
    assert tree.path_names(village, ON) == ("福建省", "福州市", "平潭县", "海坛街道", "辕门居委会")


def test_jurisdiction_follows_successors_both_ways(tree: d.Tree) -> None:
    assert tree.within("350405000000", "350427000000", ON)
    assert tree.within("350427000000", "350405001000", ON)
    assert not tree.within("350404000000", "350427000000", ON)


def test_an_area_that_is_unknown_or_goes_in_a_circle_covers_nothing(tree: d.Tree) -> None:
    assert not tree.within("359900000000", "350405001000", ON)
    day = date(2024, 1, 1)
    row = {
        "parent_code": XIAMEN,
        "level": "county",
        "name": "甲区",
        "countable": True,
        "kind": "district",
        "until_on": day,
    }
    circle = d.Tree(
        [
            d.Division(code="350203000000", successors=("350205000000",), **row),
            d.Division(code="350205000000", successors=("350203000000",), **row),
            d.Division(code=XIAMEN, parent_code="", level="city", name="甲市", countable=True, kind="city"),
        ]
    )
    assert not circle.within("350203000000", XIAMEN, day)
    assert circle.line("350203000000", day) == ("350203000000", "350205000000")


def test_an_official_sees_the_area_within_the_fields_and_nothing_beside(tree: d.Tree) -> None:
    village = "350203001001"
    for known in (None, tree):
        assert d.may_see(XIAMEN, {"welfare"}, village, "welfare", known, ON)
        assert d.may_see(XIAMEN, None, village, "welfare", known, ON)
        assert d.may_see(XIAMEN, {"welfare"}, village, None, known, ON)
        assert not d.may_see(XIAMEN, {"welfare"}, village, "health", known, ON)
        assert not d.may_see(XIAMEN, {"welfare"}, FUZHOU, "welfare", known, ON)
        assert not d.may_see(XIAMEN, {"welfare"}, PROVINCE, "welfare", known, ON)
    assert not d.may_see(PROVINCE, None, "350999000000", None, tree, ON)


def test_children_and_standing_divisions_agree(tree: d.Tree) -> None:
    assert len(tree.children(PROVINCE, ON)) == 9
    assert len(tree.children("350400000000", ON)) == 11 and len(tree.children("350400000000", BEFORE)) == 12
    assert tree.children("", ON)[0].code == PROVINCE
