"""Accounts, sessions, signing keys, and the changes of reference data."""

from alembic import op

revision = "a0001"
down_revision = None

AGGREGATE = """
create table {kind} (
    id text collate "C" primary key, version int not null, division text collate "C" not null, body jsonb not null,
    {columns});
create index {kind}_division on {kind} (division, id);
create table {kind}_history (
    id text collate "C" not null, version int not null, effective_on date not null, known_at timestamptz not null,
    body jsonb not null, primary key (id, version));
"""
ACCOUNT = """
    state text generated always as (body #>> '{state}') stored,
    person_id text generated always as (body #>> '{person_id}') stored,
    login_index text generated always as (body #>> '{logins,0,subject,i,0}') stored,
    constraint account_state check (state in ('open', 'locked', 'closed')),
    constraint account_exists unique (login_index)"""
SESSION = """
    state text generated always as (body #>> '{state}') stored,
    account_id text generated always as (body #>> '{account_id}') stored,
    at timestamptz generated always as (iso_instant(body #>> '{at}')) stored,
    constraint session_state check (state in ('open', 'refused', 'ended', 'revoked')),
    constraint session_account check (state = 'refused' or account_id is not null)"""
SIGNING_KEY = """
    state text generated always as (body #>> '{state}') stored,
    use text generated always as (body #>> '{use}') stored"""
REFERENCE_CHANGE = """
    number bigint generated always as ((body #>> '{number}')::bigint) stored,
    what text generated always as (body #>> '{what}') stored,
    known_from date generated always as (iso_date(body #>> '{known_from}')) stored,
    known_until date generated always as (iso_date(body #>> '{known_until}')) stored,
    constraint reference_raced unique (number)"""
INDEXES = """
alter table signing_key rename constraint signing_key_pkey to key_published;
create index account_person on account (person_id);
create index account_logins on account using gin ((body -> 'logins') jsonb_path_ops);
create index account_grants on account using gin ((body -> 'grants') jsonb_path_ops);
create index session_account_at on session (account_id, at);
create index reference_change_what on reference_change (what, number);
"""


def upgrade() -> None:
    """Creates everything; nothing stood before."""
    tables = {
        "account": ACCOUNT,
        "session": SESSION,
        "signing_key": SIGNING_KEY,
        "reference_change": REFERENCE_CHANGE,
    }
    for kind, columns in tables.items():
        op.execute(AGGREGATE.format(kind=kind, columns=columns))
    op.execute(INDEXES)
