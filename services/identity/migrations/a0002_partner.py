"""Agreements with partners."""

from alembic import op

revision = "a0002"
down_revision = "a0001"

PARTNER = """
create table partner (
    id text collate "C" primary key, version int not null, division text collate "C" not null, body jsonb not null,
    state text generated always as (body #>> '{state}') stored,
    account_id text generated always as (body #>> '{account_id}') stored,
    name text generated always as (body #>> '{name}') stored,
    constraint partner_state check (state in ('agreed', 'ended')));
create index partner_division on partner (division, id);
create unique index partner_agreed on partner (account_id) where state = 'agreed';
create index partner_name on partner (name);
create table partner_history (
    id text collate "C" not null, version int not null, effective_on date not null, known_at timestamptz not null,
    body jsonb not null, primary key (id, version));
"""


def upgrade() -> None:
    """One agreement at a time for each account."""
    op.execute(PARTNER)
