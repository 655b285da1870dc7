-- 由 `make docs` 生成，请勿手工修改。来源：libs/banyan/runtime/host/roles.py。仅当执行 banyan migrate 的数据库用户无权建立角色时才需要。
-- psql -v migrator=该用户 -v banyan_identity="$(cat 口令目录/identity.password)" -v banyan_registry="$(cat 口令目录/registry.password)" -v banyan_matching="$(cat 口令目录/matching.password)" -v banyan_insight="$(cat 口令目录/insight.password)" -f roles.sql
-- 各表的权限由 banyan migrate 授予服务角色：
--   alembic_version: select
--   clock: select
--   idempotency: select, insert, update (reply, refused, expires_at), delete
--   person_key: select, insert, update (wrapped, destroyed_at)
--   outbox: select, insert, delete
--   stream: select, insert, update
--   log: select, insert
--   head: select, insert, update (signed_at, head)
--   audit: select, insert
--   unsealed: select, insert, delete
--   seal: select, insert
--   cursor: select, insert, update
--   parked: select, insert, update, delete
--   job_row: select, insert
--   *_history: select, insert
--   其余: select, insert, update

-- banyan_identity
create role "banyan_identity_owner" nologin;
comment on role "banyan_identity_owner" is 'banyan:production';
create role "banyan_identity" login;
comment on role "banyan_identity" is 'banyan:production';
create database "banyan_identity" owner "banyan_identity_owner";
revoke all on database "banyan_identity" from public;
grant connect on database "banyan_identity" to "banyan_identity";
grant "banyan_identity_owner" to :migrator;
alter role "banyan_identity" password :'banyan_identity';

-- banyan_registry
create role "banyan_registry_owner" nologin;
comment on role "banyan_registry_owner" is 'banyan:production';
create role "banyan_registry" login;
comment on role "banyan_registry" is 'banyan:production';
create database "banyan_registry" owner "banyan_registry_owner";
revoke all on database "banyan_registry" from public;
grant connect on database "banyan_registry" to "banyan_registry";
grant "banyan_registry_owner" to :migrator;
alter role "banyan_registry" password :'banyan_registry';

-- banyan_matching
create role "banyan_matching_owner" nologin;
comment on role "banyan_matching_owner" is 'banyan:production';
create role "banyan_matching" login;
comment on role "banyan_matching" is 'banyan:production';
create database "banyan_matching" owner "banyan_matching_owner";
revoke all on database "banyan_matching" from public;
grant connect on database "banyan_matching" to "banyan_matching";
grant "banyan_matching_owner" to :migrator;
alter role "banyan_matching" password :'banyan_matching';

-- banyan_insight
create role "banyan_insight_owner" nologin;
comment on role "banyan_insight_owner" is 'banyan:production';
create role "banyan_insight" login;
comment on role "banyan_insight" is 'banyan:production';
create database "banyan_insight" owner "banyan_insight_owner";
revoke all on database "banyan_insight" from public;
grant connect on database "banyan_insight" to "banyan_insight";
grant "banyan_insight_owner" to :migrator;
alter role "banyan_insight" password :'banyan_insight';
