"""Code tables: complete, one meaning a code, and refusing what they do not hold."""

from __future__ import annotations

import pytest

from banyan.kernel import codes
from banyan.kernel.codes import CODES
from banyan.kernel.divisions import LEVELS
from banyan.kernel.documents import KINDS
from banyan.kernel.refusal import Refused
from services.identity.data import divisions


def test_the_policys_functions_and_fields_are_all_there() -> None:
    assert len(CODES["function"]) == 14 and len(CODES["field"]) == 17
    assert CODES["field"].name("welfare") == "社会福利" and CODES["function"].name("resource_linking") == "资源链接"


def test_the_national_tables_keep_their_codes() -> None:
    assert [CODES["ethnicity"][code] for code in ("01", "22", "56")] == ["汉族", "畲族", "基诺族"]
    assert len([code for code in CODES["ethnicity"] if int(code) <= 56]) == 56
    assert CODES["sex"]["1"] == "男性" and CODES["political_status"]["13"] == "群众"
    assert CODES["education"]["21"] == "大学本科毕业" and CODES["kinship"]["52"] == "母亲"


@pytest.mark.parametrize("kind", sorted(CODES))
def test_every_table_names_its_source_and_gives_no_name_twice(kind: str) -> None:
    table = CODES[kind]
    assert table.title and table.source and table.kind == kind
    assert len(set(table.values())) == len(table) > 1
    assert all(isinstance(code, str) and name.strip() for code, name in table.items())


def test_tables_agree_with_the_rules_that_use_them() -> None:
    assert set(CODES["document"]) == set(KINDS)
    assert tuple(CODES["division_level"]) == LEVELS
    assert {row.kind for row in divisions()} <= set(CODES["division_kind"])


def test_more_is_said_of_known_codes_only() -> None:
    assert CODES["client_group"].more("older") == {"special": True} and not CODES["client_group"].more("other_in_need")


@pytest.mark.parametrize(("kind", "code"), [("field", "magic"), ("no_such_kind", "x"), ("sex", "3")])
def test_what_no_table_holds_is_refused(kind: str, code: str) -> None:
    with pytest.raises(Refused) as no:
        codes.require(kind, code)
    assert no.value.code == "unknown_code" and no.value.facts["value"] in (code, kind)
    assert codes.require("urgency", "3") == "3"
