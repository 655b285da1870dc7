"""Matching runs: the records, what stands behind their positions, their files, and the progress of jobs."""

from alembic import op

from banyan.runtime.host.jobs import TABLES as JOB_TABLES

revision = "m0002"
down_revision = "m0001"

RUN = """
create table run (
    id text collate "C" primary key, version int not null, division text collate "C" not null, body jsonb not null,
    state text generated always as (body #>> '{state}') stored,
    constraint run_state check (state in ('computing', 'computed', 'confirmed', 'applied', 'cancelled', 'failed')));
create index run_division on run (division, id);
create index run_unended on run (id) where state in ('computing', 'computed', 'confirmed');
create table run_history (
    id text collate "C" not null, version int not null, effective_on date not null, known_at timestamptz not null,
    body jsonb not null, primary key (id, version));
create table run_names (
    run_id text collate "C" primary key references run, body text not null);
create table run_file (
    run_id text collate "C" not null references run, name text not null, size bigint not null, digest text not null,
    primary key (run_id, name));
create table run_file_part (
    run_id text collate "C" not null, name text not null, part bigint not null, content bytea not null,
    primary key (run_id, name, part),
    foreign key (run_id, name) references run_file (run_id, name) on delete cascade);
"""


def upgrade() -> None:
    """Makes the tables."""
    op.get_bind().exec_driver_sql(RUN + JOB_TABLES)
