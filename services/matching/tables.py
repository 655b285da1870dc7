"""The tables of matching: the rules a second time, as constraints, and the numbered log that the index follows."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy import UniqueConstraint as Unique

from banyan.runtime.commands.tables import aggregate_table, kept
from services.matching.domain.client import Client
from services.matching.domain.household import Household
from services.matching.domain.request import REQUEST, Request
from services.matching.domain.roster import Roster
from services.matching.domain.run import RUN, Run
from services.matching.domain.worker import WORKER, Worker

METADATA = MetaData()
OPEN = "state not in ('followed_up', 'closed')"
UNSENT = "state in ('submitted', 'triaged', 'proposed', 'unmatched')"
WITH_DUTY = f"body #>> '{{holder,duty}}' = 'duty_officer' and {UNSENT}"

ON_BOARD = ("id", "urgency", "field", "confidentiality", "due", "due_at")
"""What the duty board says of most that stands on it, so that it reads their index and not thousands of records."""


def one_of(states: tuple[str, ...], name: str) -> CheckConstraint:
    """The state is one of the machine's."""
    return CheckConstraint(f"state in ({', '.join(repr(state) for state in states)})", name=name)


REQUEST_TABLE = aggregate_table(
    METADATA,
    Request,
    kept("state"),
    kept("urgency", as_="int"),
    kept("field"),
    kept("confidentiality"),
    kept("subject_id"),
    kept("client_id"),
    kept("household_id"),
    kept("taken_by"),
    kept("taken_at", as_="instant"),
    kept("accepted_at", as_="instant"),
    kept("due_at", as_="instant"),
    kept("due"),
    kept("report_due_at", "report.due_at", as_="instant"),
    kept("report_receipt", "report.receipt"),
    kept("holder"),
    kept("holder_account", "holder.account"),
    kept("worker_id"),
    kept("asked", "offers.-1.worker_id"),
    kept("ending"),
    kept("erased_on", as_="date"),
    one_of(REQUEST.states, "request_state"),
    CheckConstraint(f"({OPEN}) = (holder is not null)", name="request_held"),
    CheckConstraint(f"({OPEN}) = (due_at is not null)", name="request_clocked"),
    CheckConstraint(f"({OPEN}) = (ending is null)", name="request_ended"),
    Index("request_due", "due_at", postgresql_where=text(OPEN)),
    Index("request_report_due", "report_due_at", postgresql_where=text("report_receipt is null")),
    Index("request_asked", "asked", postgresql_where=text("state = 'dispatched'")),
    Index("request_worker", "worker_id"),
    Index("request_subject", "subject_id"),
    Index("request_client", "client_id"),
    Index("request_taken_by", "taken_by"),
    Index(
        "request_with_duty", "division", postgresql_where=text(WITH_DUTY), postgresql_include=[*ON_BOARD, "taken_at"]
    ),
    Index("request_with_account", "holder_account", postgresql_where=text(f"holder_account is not null and {OPEN}")),
    Index(
        "request_accepted",
        "division",
        postgresql_where=text("state = 'accepted'"),
        postgresql_include=[*ON_BOARD, "accepted_at"],
    ),
    Index("request_crisis", "taken_at", postgresql_where=text(f"urgency = 3 and {OPEN}")),
)

WORKER_TABLE = aggregate_table(
    METADATA,
    Worker,
    kept("state"),
    kept("person_id", "supply.person_id"),
    kept("account", "supply.account"),
    one_of(WORKER.states, "worker_state"),
    Index("worker_person", "person_id"),
    Index("worker_account", "account"),
)

HOUSEHOLD_TABLE = aggregate_table(
    METADATA,
    Household,
    kept("head_id"),
    Index("household_members", text("(body -> 'member_ids')"), postgresql_using="gin"),
)

ROSTER_TABLE = aggregate_table(METADATA, Roster, Unique("division", name="roster_exists"))

CLIENT_TABLE = aggregate_table(
    METADATA,
    Client,
    kept("alias_of"),
    kept("erased_on", as_="date"),
)

WORKER_CHANGE = Table(
    "worker_change",
    METADATA,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("worker_id", Text(collation="C"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=text("banyan_now()")),
    info={"rights": "select, insert, delete"},
)
"""One row each time that a worker's row is written, by a trigger: whoever writes, nothing is missed."""

RUN_TABLE = aggregate_table(
    METADATA,
    Run,
    kept("state"),
    one_of(RUN.states, "run_state"),
    Index("run_unended", "id", postgresql_where=text("state in ('computing', 'computed', 'confirmed')")),
)

RUN_NAMES = Table(
    "run_names",
    METADATA,
    Column("run_id", Text(collation="C"), ForeignKey("run.id"), primary_key=True),
    Column("body", Text, nullable=False),
    info={"rights": "select, insert, update, delete"},
)
"""Whose positions a run's files tell of; only the platform reads it."""

RUN_FILE = Table(
    "run_file",
    METADATA,
    Column("run_id", Text(collation="C"), ForeignKey("run.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    info={"rights": "select, insert, delete"},
)

RUN_FILE_PART = Table(
    "run_file_part",
    METADATA,
    Column("run_id", Text(collation="C"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("part", BigInteger, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    ForeignKeyConstraint(["run_id", "name"], ["run_file.run_id", "run_file.name"], ondelete="CASCADE"),
    info={"rights": "select, insert"},
)
