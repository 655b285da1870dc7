"""Requests, workers, households, rosters, clients; and the numbered log of workers' changes."""

from alembic import op

revision = "m0001"
down_revision = None

AGGREGATE = """
create table {kind} (
    id text collate "C" primary key, version int not null, division text collate "C" not null,
    body jsonb not null{columns});
create index {kind}_division on {kind} (division, id);
create table {kind}_history (
    id text collate "C" not null, version int not null, effective_on date not null, known_at timestamptz not null,
    body jsonb not null, primary key (id, version));
"""
REQUEST = """,
    state text generated always as (body #>> '{state}') stored,
    urgency bigint generated always as ((body #>> '{urgency}')::bigint) stored,
    field text generated always as (body #>> '{field}') stored,
    confidentiality text generated always as (body #>> '{confidentiality}') stored,
    subject_id text generated always as (body #>> '{subject_id}') stored,
    client_id text generated always as (body #>> '{client_id}') stored,
    household_id text generated always as (body #>> '{household_id}') stored,
    taken_by text generated always as (body #>> '{taken_by}') stored,
    taken_at timestamptz generated always as (iso_instant(body #>> '{taken_at}')) stored,
    due_at timestamptz generated always as (iso_instant(body #>> '{due_at}')) stored,
    due text generated always as (body #>> '{due}') stored,
    report_due_at timestamptz generated always as (iso_instant(body #>> '{report,due_at}')) stored,
    report_receipt text generated always as (body #>> '{report,receipt}') stored,
    holder text generated always as (body #>> '{holder}') stored,
    holder_account text generated always as (body #>> '{holder,account}') stored,
    worker_id text generated always as (body #>> '{worker_id}') stored,
    asked text generated always as (body #>> '{offers,-1,worker_id}') stored,
    ending text generated always as (body #>> '{ending}') stored,
    erased_on date generated always as (iso_date(body #>> '{erased_on}')) stored,
    constraint request_state check (state in ('submitted', 'triaged', 'proposed', 'unmatched', 'dispatched', 'accepted',
        'in_service', 'completed', 'followed_up', 'closed')),
    constraint request_held check ((state not in ('followed_up', 'closed')) = (holder is not null)),
    constraint request_clocked check ((state not in ('followed_up', 'closed')) = (due_at is not null)),
    constraint request_ended check ((state not in ('followed_up', 'closed')) = (ending is null))"""
REQUEST_INDEXES = """
create index request_due on request (due_at) where state not in ('followed_up', 'closed');
create index request_report_due on request (report_due_at) where report_receipt is null;
create index request_asked on request (asked) where state = 'dispatched';
create index request_worker on request (worker_id);
create index request_subject on request (subject_id);
create index request_client on request (client_id);
create index request_taken_by on request (taken_by);
create index request_crisis on request (taken_at) where urgency = 3 and state not in ('followed_up', 'closed');
"""
WORKER = """,
    state text generated always as (body #>> '{state}') stored,
    person_id text generated always as (body #>> '{supply,person_id}') stored,
    account text generated always as (body #>> '{supply,account}') stored,
    constraint worker_state check (state in ('on_call', 'suspended', 'ended'))"""
WORKER_INDEXES = """
create index worker_person on worker (person_id);
create index worker_account on worker (account);
create table worker_change (
    number bigint generated always as identity primary key, worker_id text collate "C" not null,
    at timestamptz not null default banyan_now());
create function note_worker_change() returns trigger language plpgsql as $$
begin
    insert into worker_change (worker_id) values (new.id);
    perform pg_notify('worker_change', '');
    return null;
end $$;
create trigger worker_changed after insert or update on worker for each row execute function note_worker_change();
"""
HOUSEHOLD = """,
    head_id text generated always as (body #>> '{head_id}') stored"""
HOUSEHOLD_INDEXES = "create index household_members on household using gin ((body -> 'member_ids'));"
ROSTER = ", constraint roster_exists unique (division)"
CLIENT = """,
    alias_of text generated always as (body #>> '{alias_of}') stored,
    erased_on date generated always as (iso_date(body #>> '{erased_on}')) stored"""
TABLES = (
    ("request", REQUEST, REQUEST_INDEXES),
    ("worker", WORKER, WORKER_INDEXES),
    ("household", HOUSEHOLD, HOUSEHOLD_INDEXES),
    ("roster", ROSTER, ""),
    ("client", CLIENT, ""),
)


def upgrade() -> None:
    """Creates the five aggregates' tables and the log."""
    for kind, columns, indexes in TABLES:
        op.get_bind().exec_driver_sql(AGGREGATE.format(kind=kind, columns=columns) + indexes)
