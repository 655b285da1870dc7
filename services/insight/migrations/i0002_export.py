"""Exports: the records, what was read so far, the parts of the files, and the progress of jobs."""

from alembic import op

from banyan.runtime.host.jobs import TABLES as JOB_TABLES

revision = "i0002"
down_revision = "i0001"

EXPORT = """
create table export (
    id text collate "C" primary key, version int not null, division text collate "C" not null, body jsonb not null,
    state text generated always as (body #>> '{state}') stored,
    expires_at timestamptz generated always as (iso_instant(body #>> '{expires_at}')) stored,
    constraint export_state check (state in ('waiting', 'made', 'failed', 'expired')));
create index export_division on export (division, id);
create table export_history (
    id text collate "C" not null, version int not null, effective_on date not null, known_at timestamptz not null,
    body jsonb not null, primary key (id, version));
create index export_waiting on export (id) where state = 'waiting';
create index export_made on export (expires_at) where state = 'made';
create table export_page (
    export_id text collate "C" not null references export, number bigint not null, rows bigint not null,
    not_shown bigint not null, following text, content text not null, primary key (export_id, number));
create table export_part (
    export_id text collate "C" not null references export, part bigint not null, content bytea not null,
    primary key (export_id, part));
"""


def upgrade() -> None:
    """Makes the tables, beside the projections' schema."""
    op.get_bind().exec_driver_sql(EXPORT + JOB_TABLES)
