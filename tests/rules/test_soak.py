"""What the soak would find: an order lost, an event doubled, an answer that no rule and no fault explains."""

from __future__ import annotations

from banyan.contracts import matching
from banyan.demo.api import Problem
from tests.load.soak_callers import Ledger
from tests.load.soak_proof import differences

TAKEN = matching.RequestTaken.type_name()


def test_an_order_lost_and_an_event_doubled_are_named() -> None:
    ledger = Ledger()
    for record in ("q-1", "q-2", "q-3"):
        ledger.answered("take_request", record, 0.1)
    stands = ledger.events.copy()
    assert list(differences(ledger.events, stands)) == []
    del stands[TAKEN, "q-1"]
    stands[TAKEN, "q-3"] += 1
    stands[TAKEN, "q-9"] += 1
    assert list(differences(ledger.events, stands)) == [
        f"丢失 1 个 {TAKEN}：q-1", f"多出 1 个 {TAKEN}：q-3", f"多出 1 个 {TAKEN}：q-9",
    ]  # fmt: skip
    assert ledger.records(matching.RequestTaken) == {"q-1", "q-2", "q-3"}


def test_a_rule_s_no_is_counted_and_an_inner_error_is_strange() -> None:
    ledger = Ledger()
    ledger.said_no("accept_offer", Problem({"code": "wrong_state", "status": 409}))
    assert (ledger.refused, ledger.strange) == ({"wrong_state": 1}, [])
    for status in (401, 500):
        ledger.said_no("accept_offer", Problem({"code": "x", "status": status}))
    assert len(ledger.strange) == 2
