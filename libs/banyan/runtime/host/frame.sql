-- The frame's own tables, the same in every service's database.
create function iso_date(text) returns date language sql immutable strict parallel safe as $$ select $1::date $$;
create function iso_instant(text) returns timestamptz language sql immutable strict parallel safe as $$ select $1::timestamptz $$;

-- One clock for all processes: the transaction's time, moved only in demo and test. In plpgsql, which keeps its plan: as a function
-- in sql, which is planned at each call because of the sub-select, it cost a command more than its lock did.
create table clock (one boolean primary key default true check (one), offset_ms bigint not null default 0);
insert into clock default values;
create function banyan_now() returns timestamptz language plpgsql stable as $$ begin
    return date_trunc('milliseconds', transaction_timestamp() + (select offset_ms from clock) * interval '1 millisecond');
end $$;

create table idempotency (
    caller text not null, key text not null, method text not null, body_hash bytea not null,
    reply text, refused boolean not null default false, expires_at timestamptz not null, primary key (caller, key));
create index idempotency_expiry on idempotency (expires_at);

create table person_key (
    person_id text primary key, wrapped bytea, made_at timestamptz not null default now(), destroyed_at timestamptz,
    check ((wrapped is null) = (destroyed_at is not null)));
create index person_key_destroyed on person_key (person_id) where wrapped is null;

create table outbox (
    id bigint generated always as identity primary key, event_id text not null, stream text not null, aggregate_id text not null,
    aggregate_version int not null, type text not null, effective_on date not null, recorded_at timestamptz not null,
    data text not null, personal text, traceparent text);

create table stream (
    name text primary key, position bigint not null, chain bytea not null, published bigint not null default 0, known_at timestamptz);
create table log (
    stream text not null, position bigint not null check (position > 0), event_id text not null, type text not null,
    aggregate_id text not null, known_at timestamptz not null, salt bytea not null, digest bytea not null, chain bytea not null,
    body bytea not null, primary key (stream, position)) partition by range (position);
create table log_0 partition of log for values from (1) to (5000001);
create table log_1 partition of log for values from (5000001) to (10000001);
create table log_rest partition of log default;
create index log_record on log (aggregate_id, type, position);
create table head (
    stream text not null, position bigint not null, signed_at timestamptz not null, head text not null, primary key (stream, position));

create table audit (
    id bigint generated always as identity, at timestamptz not null, row jsonb not null, primary key (at, id)) partition by range (at);
create table audit_rest partition of audit default;
create index audit_subjects on audit using gin ((row -> 'subjects'));
create index audit_id on audit (id);
-- What no seal covers yet, and since when in real time; the trigger keeps it, so that no writer can forget it.
create table unsealed (audit_id bigint primary key, noted_at timestamptz not null default now());
create function note_unsealed() returns trigger language plpgsql as
$$ begin insert into unsealed (audit_id) values (new.id); return null; end $$;
create trigger audit_unsealed after insert on audit for each row execute function note_unsealed();
create table seal (
    position bigint primary key, audit_id bigint not null unique, salt bytea not null, digest bytea not null, chain bytea not null);

-- Partitions ahead of need: of log the range of the last position and the next, of audit the month of `at` and the next; a
-- clock that leaps makes none in between. Made as the owner, for whoever keeps the service going. A range of which the
-- default partition holds rows already is left to an operator (docs/operators.md): rows never move by themselves.
create function make_partition(parent text, name text, key text, low text, high text) returns int language plpgsql as $$
declare kept boolean;
begin
    execute format('select exists (select from %I where %I >= %L and %I < %L)', parent || '_rest', key, low, key, high) into kept;
    if kept or to_regclass(name) is not null then return 0; end if;
    execute format('create table %I (like %I including defaults including constraints)', name, parent);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, name, low, high);
    return 1;
end $$;
create function make_partitions(at timestamptz default banyan_now()) returns int language plpgsql
    security definer set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '2s' as $$
declare
    wide constant bigint := 5000000; reached bigint; month timestamptz := date_trunc('month', at); made int := 0;
begin
    perform pg_advisory_xact_lock(hashtext('banyan partitions'));
    select coalesce(max(position), 0) / wide into reached from stream;
    for n in reached .. reached + 1 loop
        made := made + make_partition('log', 'log_' || n, 'position', (n * wide + 1)::text, ((n + 1) * wide + 1)::text);
    end loop;
    for n in 0 .. 1 loop
        made := made + make_partition('audit', to_char(month, '"audit_"YYYY_MM'), 'at', month::text,
            (month + interval '1 month')::text);
        month := month + interval '1 month';
    end loop;
    return made;
end $$;
create function stray_rows() returns bigint language sql security definer set search_path = public, pg_temp as
$$ select count(*) from (select 1 from log_rest union all select 1 from audit_rest limit 10000) s $$;

create table cursor (subscription text not null, stream text not null, position bigint not null, primary key (subscription, stream));
create table parked (
    subscription text not null, stream text not null, position bigint not null, aggregate_id text not null, event bytea not null,
    reason text not null, attempts int not null default 0, since timestamptz not null default now(),
    primary key (subscription, stream, position));
create index parked_aggregate on parked (subscription, stream, aggregate_id);

create table notice (
    id bigint generated always as identity primary key, template text not null, recipient text not null, about text not null,
    facts jsonb not null, urgent boolean not null, made_at timestamptz not null, due_at timestamptz not null,
    state text not null default 'waiting' check (state in ('waiting', 'sent', 'failed')), attempts int not null default 0,
    channel text, receipt text, sent_at timestamptz, told boolean not null default false);
create index notice_waiting on notice (due_at) where state = 'waiting';
create index notice_untold on notice (id) where state <> 'waiting' and not told;

-- The service's copy of identity's reference data, kept by events.
create table reference (kind text not null, key text not null, body jsonb not null, primary key (kind, key));
