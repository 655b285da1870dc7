"""What follows a notice's receipt: an offer's clock starts when it has arrived; else the next channel is tried."""

from __future__ import annotations

from collections.abc import Iterable

from banyan.contracts.matching import ConfirmDelivery, FailDelivery
from banyan.kernel.message import Command
from banyan.runtime.notify.declare import Sent, delivered, undeliverable


@delivered("offer")
def start_clock(sent: Sent) -> Iterable[Command]:
    """The worker has the offer; from now on the time to answer runs."""
    yield ConfirmDelivery(request_id=sent.about, worker_id=sent.facts["worker"], receipt=sent.receipt)


@undeliverable("offer")
def try_next(sent: Sent) -> Iterable[Command]:
    """The channel says that it cannot bring it."""
    yield FailDelivery(request_id=sent.about, certain=True)
