"""The broker and the worker die while a partner's queue is filled: it may get an event twice, and never lacks one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from banyan.cli.verify import verify
from tests.faults.load import watering
from tests.instance import Instance
from tests.partners import PLANTED, Partner, agree

STREAM = "sample.tree"


def _rabbit_killed(platform: Instance, rabbit: Any) -> None:
    rabbit.kill()
    rabbit.start()


def _work_killed(platform: Instance, rabbit: Any) -> None:
    platform.laptop.kill("work")
    platform.laptop.start("work")


def _write_down(rabbit: Any) -> None:
    """An orderly restart. RabbitMQ 3.10 loses a quorum queue, confirmed messages too, when it is killed within seconds
    of the first declaration (50 of 50 in a trial; none after 8 s or after such a restart)."""
    rabbit.stop()
    rabbit.start()


@pytest.mark.parametrize("fault", [_rabbit_killed, _work_killed], ids=lambda fault: fault.__name__.strip("_"))
def test_a_partner_lacks_nothing(platform: Instance, rabbit: Any, fault: Callable[[Instance, Any], None]) -> None:
    partner = Partner(platform.vhost, rabbit.admin_url, f"t{uuid.uuid4().hex[:12]}")
    try:
        agree(platform.database, partner.name, PLANTED, queue=True)
        tree = platform.command("plant_tree", division="350203001000", label="榕")["id"]
        platform.wait_until(partner.waiting, "the queue is declared")
        platform.wait_until(lambda: partner.take() == 1, "the first event has come")
        _write_down(rabbit)
        with watering(platform, tree) as load:
            platform.wait_until(lambda: load.answered > 50, "the load runs")
            fault(platform, rabbit)
            after = load.answered
            platform.wait_until(lambda: load.answered > after, "orders are answered again")
        head = load.answered + 1
        platform.wait_until(partner.waiting, "the partner is let in again")
        platform.wait_until(lambda: partner.take() == head, "every event has come, in order")
        assert len(platform.stream(STREAM)) == head
        report = verify(partner.items, public_keys=platform.public_keys())
        assert report.whole and report.redacted == load.answered
    finally:
        partner.gone()
