"""`banyan keys`: which keys there are, what each still protects, and how one follows another while all goes on."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Callable, Sequence

import psycopg

from banyan.cli.seed import Seeder
from banyan.contracts.identity import RetireSigningKey
from banyan.kernel.refusal import Refused
from banyan.runtime.host import clock
from banyan.runtime.host.app import public_jwks
from banyan.runtime.host.settings import Settings
from banyan.vault.fields import Vault
from banyan.vault.keys import ROLES, ROTATABLE, KeyFolder

Say = Callable[[str], object]
BATCH = 500
LAST_TOKEN = dt.timedelta(minutes=15)  # a token lives ten minutes: signed a moment before, it is still believed
TITLES = {
    "master": "主密钥（保护每个人的密钥）",
    "signing": "签名密钥（签名头、令牌）",
    "index": "索引密钥（查找密文）",
}
WAITING = {
    "master": "请先备份，并确认每个进程的密钥目录都已有此文件，",
    "signing": "公钥已公布，请待各订阅方与核验方取得（/.well-known/jwks.json），",
}
FOLLOWED = {
    "master": "旧密钥仍可读；执行 banyan keys rewrap 改由新密钥保护，之后才能停用旧的。",
    "signing": "旧密钥签发的令牌仍有效，直至停用。",
}
WRAPPED = (
    "select split_part(convert_from(wrapped, 'UTF8'), '.', 3), count(*) from person_key"
    " where wrapped is not null group by 1"
)
OLD = (
    "select person_id, wrapped from person_key where person_id > %s and wrapped is not null"
    " and split_part(convert_from(wrapped, 'UTF8'), '.', 3) <> %s order by person_id limit %s"
)
REWRAP = (
    "update person_key k set wrapped = n.new from unnest(%s::text[], %s::bytea[], %s::bytea[]) n(person_id, old, new)"
    " where k.person_id = n.person_id and k.wrapped = n.old"
)  # one who was erased meanwhile stays erased


def protected(settings: Settings, services: Sequence[str]) -> Counter[str]:
    """Master key id → how many persons' keys are wrapped by it, in all services."""
    found: Counter[str] = Counter()
    for service in services:
        with psycopg.connect(settings.database_url(service)) as connection:
            found.update(dict(connection.execute(WRAPPED).fetchall()))
    return found


def listed(settings: Settings, services: Sequence[str]) -> list[tuple[str, str, str]]:
    """(role, id, what it does now) of every key."""
    keys, persons = KeyFolder(settings.key_folder()), protected(settings, services)
    current, rows = keys.current(), []
    for role in ROLES:
        for named in keys.ids(role):
            state = "当前" if current[role] == named else "待启用" if keys.prepared(role) == named else "旧，仍可读"
            state += f"；保护 {persons[named]} 人" if role == "master" else ""
            rows.append((role, named, state))
    return rows


def rotate(settings: Settings, role: str, say: Say, *, now: bool = False, dry_run: bool = False) -> None:
    """Lets a new key follow the current one: prepared by the first call, used from the second on. Between them it is
    backed up, every process gets its file, and whoever verifies gets its public half; `now` does both at once.

    Refuses `key_not_rotatable`."""
    keys = KeyFolder(settings.key_folder())
    if role not in ROTATABLE:
        raise Refused("key_not_rotatable", role=role)
    preparing = not keys.prepared(role) and not now
    if dry_run:
        will = "新建一把，待启用" if preparing else "启用已就位的一把" if keys.prepared(role) else "新建一把并立即启用"
        say(f"试运行，未做任何改动：{TITLES[role]}将{will}；现用 {keys.current()[role]}")
        return
    named = keys.prepare(role)
    if role == "signing":
        _publish(settings, keys, named)
    if preparing:
        say(f"新的{TITLES[role]} {named} 已就位，尚未启用。{WAITING[role]}然后再执行一次本命令启用。")
    else:
        say(f"{TITLES[role]}已换为 {keys.rotate(role)}；运行中的进程自行采用，无需重启。{FOLLOWED[role]}")
    say(f"请立即备份密钥目录 {keys.path}，与数据库备份分开保存；缺少其中任何一把，相应内容无法再读。")


def _publish(settings: Settings, keys: KeyFolder, named: str) -> None:
    """By identity's own commands; a key that is published already stays as it is."""
    seeder = Seeder(settings)
    try:
        for keyed in seeder.seed.signing_keys({named: public_jwks(keys)[named]}):
            seeder.run(keyed)
    finally:
        seeder.close()


def rewrap(settings: Settings, services: Sequence[str], say: Say) -> int:
    """Puts every person's key under the current master key, 500 a transaction; broken off, it goes on where it was.

    Answers how many were put there. Nothing waits meanwhile: the old and the new both open."""
    vault, keys = Vault(KeyFolder(settings.key_folder())), KeyFolder(settings.key_folder())
    total = 0
    for service in services:
        done, last = 0, ""
        with psycopg.connect(settings.database_url(service), autocommit=True) as connection:
            while rows := connection.execute(OLD, (last, keys.master_id, BATCH)).fetchall():
                persons, old = [row[0] for row in rows], [bytes(row[1]) for row in rows]
                new = [vault.rewrapped(each) for each in old]
                done += connection.execute(REWRAP, (persons, old, new)).rowcount
                last = persons[-1]
                say(f"{service}：已改由新主密钥保护 {done} 人")
        total += done
    return total


def retire(settings: Settings, services: Sequence[str], role: str, named: str, say: Say) -> None:
    """Puts an old key away. Refuses `key_in_use` for the current one and for a master key that still protects somebody."""
    keys = KeyFolder(settings.key_folder())
    if role not in ROTATABLE:
        raise Refused("key_not_rotatable", role=role)
    if role == "master":
        _refuse_used(settings, services, named)
        away = keys.retire(role, named)
        try:
            _refuse_used(settings, services, named)  # whoever was in the middle of a command has ended by now
        except Refused:
            keys.bring_back(away)
            raise
        kept = "较早的数据库备份仍须用它才能读取：在这些备份销毁之前请保存好。"
    else:
        if named in (keys.current()[role], keys.prepared(role)):
            raise Refused("key_in_use", role=role, key_id=named, persons=0)
        _withdraw(settings, named)
        away = keys.retire(role, named)
        kept = "公钥保留，以往的签名头仍可核验。"
    say(f"{TITLES[role]} {named} 已停用，移至 {away}。{kept}")


def _withdraw(settings: Settings, named: str) -> None:
    until_at = clock.utc_now() + LAST_TOKEN
    seeder = Seeder(settings)
    try:
        for use in ("head", "token"):
            withdrawn = RetireSigningKey(key=f"{use}.{named}", until_at=until_at, reason="密钥轮换")
            seeder.run((str(uuid.uuid4()), withdrawn))
    finally:
        seeder.close()


def _refuse_used(settings: Settings, services: Sequence[str], named: str) -> None:
    persons = protected(settings, services)[named]
    if persons:
        raise Refused("key_in_use", role="master", key_id=named, persons=persons)
