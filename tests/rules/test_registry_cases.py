"""What the cases of registry share is itself held to be sound, and what holds for all of them at once."""

from __future__ import annotations

import inspect
import re

import pytest

from banyan.kernel.refusal import Refused, catalogue
from services.registry.domain import particulars, person
from tests.rules.registry_given import (
    RULES,
    TODAY,
    certificate,
    drafted,
    officer,
    registered,
    worker_command,
)


def test_the_worker_of_the_cases_can_be_registered():
    worker = registered()

    assert worker.state == "active"
    assert worker.level == "intermediate"
    assert worker.periods[0].holds(TODAY)


def test_no_particular_is_shown_by_a_repr():
    assert "林晓梅" not in repr(drafted())
    assert worker_command().document_number not in repr(drafted())
    assert certificate().number not in repr(registered().certificates)


def test_every_refusal_of_registry_has_a_sentence_and_a_remedy():
    sources = (*RULES, particulars, person)
    codes = {code for module in sources for code in re.findall(r'Refused\(\s*"(\w+)"', inspect.getsource(module))}

    assert len(codes) > 30
    assert sorted(codes - set(catalogue())) == []


def test_a_refusal_never_repeats_what_is_personal():
    command = worker_command(document_number="350203199003071241")

    with pytest.raises(Refused) as refused:
        drafted(command)

    assert refused.value.code == "document_checksum"
    assert command.document_number not in str(refused.value)


def test_the_officer_of_the_cases_reaches_one_county():
    assert officer().holds(["registrar"], "350203001001")
    assert not officer().holds(["registrar"], "350102001001")
