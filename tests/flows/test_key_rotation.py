"""Keys follow each other while a service runs: what is new goes under the new one, what is old is put there, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from banyan.cli import keys as operators
from banyan.cli.seed import Seeder
from banyan.kernel.context import Caller, Grant
from banyan.kernel.refusal import Refused
from banyan.runtime.host import app as host
from banyan.runtime.host.migrate import migrate
from banyan.runtime.host.settings import Settings
from banyan.testkit.owned import drop_database, fresh_name
from banyan.vault.keys import KeyFolder, create

ONLY = ("identity",)
PROVINCE = "350000000000"


@pytest.fixture
def settings(database: str, tmp_path: Path) -> Iterator[Settings]:
    made = Settings(mode="test", postgres_url=database, database_prefix=f"{fresh_name()}_", keys=tmp_path / "keys")
    create(tmp_path / "keys")
    migrate(made, "identity", "services.identity")
    yield made
    drop_database(database, made.database("identity"))


@pytest.fixture
def running(settings: Settings) -> Iterator[Seeder]:
    """A process that was there before any rotation, with keys that it read at its start."""
    seeder = Seeder(settings)
    yield seeder
    seeder.close()


def _said(settings: Settings, role: str, **how: bool) -> str:
    said: list[str] = []
    operators.rotate(settings, role, said.append, **how)
    return "".join(said)


def _protected(settings: Settings) -> dict[str, int]:
    return dict(operators.protected(settings, ONLY))


def _refused_as_used(settings: Settings, role: str, named: str) -> int:
    with pytest.raises(Refused, match="key_in_use") as refused:
        operators.retire(settings, ONLY, role, named, print)
    assert KeyFolder(settings.key_folder()).ids(role)[0] == named, "it is where it was"
    return int(refused.value.facts["persons"])


def test_a_master_key_follows_another_while_the_service_runs(
    settings: Settings, running: Seeder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        running.account(f"before{n}", (), PROVINCE)
    keys = KeyFolder(settings.key_folder())
    old = keys.master_id
    assert _protected(settings) == {old: 5}

    assert "未做任何改动" in _said(settings, "master", dry_run=True) and keys.ids("master") == [old]
    assert "尚未启用" in _said(settings, "master")
    running.account("meanwhile", (), PROVINCE)
    assert _protected(settings) == {old: 6}
    assert "无需重启" in _said(settings, "master")
    new = keys.master_id
    assert new != old and keys.ids("master") == [old, new] and keys.prepared("master") is None
    running.account("after", (), PROVINCE)
    assert _protected(settings) == {old: 6, new: 1}, "the running process wraps under the new one"

    assert _refused_as_used(settings, "master", old) == 6
    monkeypatch.setattr(operators, "BATCH", 2)
    seen: list[str] = []

    def breaks_off(line: str) -> None:
        seen.append(line)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        operators.rewrap(settings, ONLY, breaks_off)
    assert _protected(settings) == {old: 2, new: 5}
    assert operators.rewrap(settings, ONLY, print) == 2, "it goes on where it was"
    assert _protected(settings) == {new: 7}
    with psycopg.connect(settings.database_url("identity")) as connection:
        wrapped = connection.execute("select wrapped from person_key").fetchall()
    vault = operators.Vault(KeyFolder(settings.key_folder()))
    assert len({vault.unwrap(bytes(row[0])) for row in wrapped}) == 7

    operators.retire(settings, ONLY, "master", old, print)
    assert KeyFolder(settings.key_folder()).ids("master") == [new]
    assert (settings.key_folder() / "retired" / f"master-{old}.key").exists(), "older backups still need it"
    assert _refused_as_used(settings, "master", new) >= 0
    running.account("last", (), PROVINCE)
    assert next(state for *_, state in operators.listed(settings, ONLY)) == "当前；保护 8 人"


def test_an_erased_person_stays_erased_through_a_rewrap(settings: Settings, running: Seeder) -> None:
    account, _ = running.account("erased", (), PROVINCE)
    running.account("kept", (), PROVINCE)
    with psycopg.connect(settings.database_url("identity"), autocommit=True) as connection:
        connection.execute(
            "update person_key set wrapped = null, destroyed_at = now() where person_id = %s", (account,)
        )
    _said(settings, "master", now=True)
    assert operators.rewrap(settings, ONLY, print) == 1
    with psycopg.connect(settings.database_url("identity")) as connection:
        erased = connection.execute("select wrapped from person_key where person_id = %s", (account,)).fetchone()
    assert erased == (None,)


def _published(settings: Settings) -> dict[str, str]:
    with psycopg.connect(settings.database_url("identity")) as connection:
        return dict(connection.execute("select id, state from signing_key").fetchall())


def test_a_signing_key_is_known_before_it_signs_and_proves_after_it_is_retired(
    settings: Settings, running: Seeder
) -> None:
    keys = KeyFolder(settings.key_folder())
    old = keys.signing_key()[0]
    for keyed in running.seed.signing_keys(host.public_jwks(keys)):
        running.run(keyed)
    caller = Caller(account="a", grants=(Grant(duty="system", division=PROVINCE),))
    before = host.system_token(keys, caller)

    assert "公钥已公布" in _said(settings, "signing")
    new = keys.prepared("signing")
    assert new and keys.signing_key()[0] == old and _refused_as_used(settings, "signing", old) == 0
    assert _published(settings) == {f"{use}.{kid}": "published" for use in ("head", "token") for kid in (old, new)}
    _said(settings, "master")
    assert "无需重启" in _said(settings, "signing")
    assert keys.signing_key()[0] == new and keys.prepared("master"), "the other role's step is not lost"
    after = host.system_token(keys, caller)
    believing = host.App(host.load_service("identity"), settings, keys)
    try:
        for token in (before, after):
            assert believing.bus._authenticate(token).account == "a"
    finally:
        believing.pool.close()

    operators.retire(settings, ONLY, "signing", old, print)
    assert _published(settings)[f"token.{old}"] == "retired" and _published(settings)[f"token.{new}"] == "published"
    assert set(keys.public_keys()) == {old, new}, "old heads stay provable"
    assert KeyFolder(settings.key_folder()).ids("signing") == [new]


def test_the_index_key_follows_no_other(settings: Settings) -> None:
    for act in (lambda: _said(settings, "index"), lambda: operators.retire(settings, ONLY, "index", "x", print)):
        with pytest.raises(Refused, match="key_not_rotatable"):
            act()
