-- Earlier versions of records go with the key of the person whom they are about: unsealed codes and places of an erased person
-- would stay in them. The service's role may delete no history; this may, and only versions whose person's key is destroyed,
-- never the newest. `subject` names the member of the body that holds the person's id. Made anew at each migration.
create or replace function forget_history(kind text, subject text, ids text[]) returns int language plpgsql
    security definer set search_path = public, pg_temp as $$
declare forgotten int;
begin
    execute format('delete from %I h using %I r, person_key k where h.id = any($1) and r.id = h.id and h.version < r.version'
        ' and k.person_id = h.body ->> $2 and k.wrapped is null', kind || '_history', kind) using ids, subject;
    get diagnostics forgotten = row_count;
    return forgotten;
end $$;
