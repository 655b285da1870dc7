"""Persons, assignments, uploads, imports; and the progress of jobs."""

from alembic import op

from banyan.runtime.host.jobs import TABLES as JOB_TABLES

revision = "r0001"
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
PERSON = """
    state text generated always as (body #>> '{state}') stored,
    level text generated always as (body #>> '{level}') stored,
    sort_key text generated always as (body #>> '{sort_key}') stored,
    document_index text generated always as (body #>> '{document,i,0}') stored,
    likeness text generated always as (body #>> '{birth_date,i,0}') stored,
    ends_on date generated always as (iso_date(body #>> '{ends_on}')) stored,
    account text generated always as (body #>> '{account}') stored,
    merged_into text generated always as (body #>> '{merged_into}') stored,
    check (state in ('draft', 'submitted', 'approved', 'active', 'lapsed', 'suspended', 'retired', 'erased')),
    constraint document_taken unique (document_index),
    constraint account_taken unique (account)"""
PERSON_INDEXES = """
create index person_by_name on person using gin ((body -> 'name' -> 'i'));
create index person_by_document on person using gin ((body -> 'document' -> 'i'));
create index person_by_phone on person using gin ((body -> 'phone' -> 'i'));
create index person_by_order on person (sort_key collate "C", id);
create index person_likeness on person (likeness);
create index person_ends on person (ends_on) where state = 'active';
create index person_merged on person (merged_into) where merged_into is not null;
create index person_suspected on person (id) where jsonb_array_length(body -> 'suspected') > 0;
"""
ASSIGNMENT = """
    state text generated always as (body #>> '{state}') stored,
    person_id text generated always as (body #>> '{person_id}') stored,
    host_id text generated always as (body #>> '{host_id}') stored,
    live text generated always as (body #>> '{live}') stored,
    until date generated always as (iso_date(body #>> '{until}')) stored,
    check (state in ('proposed', 'open', 'paused', 'ended')),
    constraint assignment_open unique (live)"""
ASSIGNMENT_INDEXES = """
create index assignment_of_person on assignment (person_id, id);
create index assignment_of_host on assignment (host_id, id);
create index assignment_until on assignment (until) where live is not null;
"""
UPLOAD = """
    digest text generated always as (body #>> '{digest}') stored,
    part bigint generated always as ((body #>> '{part}')::bigint) stored,
    place text generated always as (body #>> '{place}') stored,
    constraint part_uploaded unique (place)"""
IMPORT = """
    state text generated always as (body #>> '{state}') stored,
    check (state in ('waiting', 'finished', 'failed'))"""
IMPORT_INDEXES = "create index import_waiting on import (id) where state = 'waiting';"


def upgrade() -> None:
    """Makes all tables."""
    for kind, columns, indexes in (
        ("person", PERSON, PERSON_INDEXES),
        ("assignment", ASSIGNMENT, ASSIGNMENT_INDEXES),
        ("upload", UPLOAD, ""),
        ("import", IMPORT, IMPORT_INDEXES),
    ):
        op.get_bind().exec_driver_sql(AGGREGATE.format(kind=kind, columns=columns) + indexes)
    op.get_bind().exec_driver_sql(JOB_TABLES)
