"""What must stop a start does so with its name, and before the first write: another's database, a wrong setting, a key
that is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from banyan.cli.laptop import ROOT, Laptop
from banyan.kernel.refusal import Refused
from banyan.vault import keys
from tests.instance import drop, laptop_of

RUN = "from banyan.cli import main; import sys; sys.exit(main())"


@pytest.fixture
def laptop(database: str, vhost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laptop]:
    """An instance that was never started; its keys lie in a folder of the test."""
    monkeypatch.setenv("BANYAN_KEYS", str(tmp_path / "keys"))
    found = laptop_of(tmp_path / "run", database, vhost)
    yield found
    for name in found.processes:
        found.stop(name)
    if found.state:
        drop(f"{found.state['prefix']}sample", database)


def _banyan(laptop: Laptop, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One command of `banyan` with the instance's settings, as its operator would start it."""
    command = [sys.executable, "-c", RUN, *arguments]
    env = {**laptop.environment(), **environment}
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def _another_s(laptop: Laptop, database: str, mark: str | None) -> str:
    """A database of the very name that ours would have, with a table of somebody's in it."""
    name = f"{laptop._prefix()}sample"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
        if mark:
            connection.execute(f"comment on database \"{name}\" is '{mark}'")
    url = f"{database.rsplit('/', 1)[0]}/{name}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table theirs (x int)")
    return url


def _tables(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        sql = "select tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        return [row[0] for row in connection.execute(sql).fetchall()]


@pytest.mark.parametrize("mark", [None, "banyan:demo", "banyan:production", "their accounts"])
def test_a_database_that_is_not_our_own_is_refused_before_the_first_write(
    laptop: Laptop, database: str, mark: str | None
) -> None:
    url = _another_s(laptop, database, mark)
    with pytest.raises(Refused) as refused:
        laptop.up(lambda _: None)
    assert "not_our_database" in refused.value.facts["said"]
    assert _tables(url) == ["theirs"]
    assert all(laptop.process(name) is None for name in laptop.processes), "nothing was started"


@pytest.mark.parametrize("process", ["serve", "work"])
def test_a_process_by_itself_refuses_it_too(laptop: Laptop, database: str, process: str) -> None:
    _another_s(laptop, database, "banyan:production")
    with pytest.raises(Refused):
        laptop.up(lambda _: None)
    ended = _banyan(laptop, process, "tests.sample")
    assert (ended.returncode, "no_entry_to_database" in ended.stderr) == (2, True), ended.stderr


@pytest.fixture
def settled(laptop: Laptop) -> Laptop:
    """Keys and database are there; no process runs."""
    laptop.processes = ()
    laptop.up(lambda _: None)
    return laptop


def test_a_wrong_setting_stops_the_start_with_its_name(settled: Laptop) -> None:
    wrong = {"BANYAN_MODE": "party", "BANYAN_POOL_SIZE": "many", "BANYAN_PARKED_S": "soon"}
    for process in ("serve", "work", "gateway", "migrate"):
        ended = _banyan(settled, process, **wrong)
        assert ended.returncode == 2
        assert "bad_setting" in ended.stderr
        assert all(name.removeprefix("BANYAN_").lower() in ended.stderr for name in wrong), "each wrong one is named"


@pytest.mark.parametrize("lost", ["signing-*.key", "master-*.key", "index-*.key", "current.json"])
def test_a_missing_key_stops_the_start_and_is_never_made_anew(settled: Laptop, lost: str) -> None:
    next(settled.key_folder.glob(lost)).unlink()
    left = sorted(path.name for path in settled.key_folder.iterdir())
    for process in ("serve", "work"):
        ended = _banyan(settled, process, "tests.sample")
        assert (ended.returncode, "key_file_missing" in ended.stderr) == (2, True), ended.stderr
    with pytest.raises(Refused) as refused:
        settled.up(lambda _: None)
    assert refused.value.code == "key_file_missing"
    assert sorted(path.name for path in settled.key_folder.iterdir()) == left


def test_a_lost_folder_of_keys_is_not_made_anew(settled: Laptop, tmp_path: Path) -> None:
    settled.key_folder.rename(tmp_path / "elsewhere")
    with pytest.raises(Refused) as refused:
        settled.up(lambda _: None)
    assert refused.value.code == "key_file_missing"
    assert not settled.key_folder.exists()
    (tmp_path / "elsewhere").rename(settled.key_folder)
    settled.up(lambda _: None)


def test_keys_that_others_may_read_stop_the_start(settled: Laptop) -> None:
    next(settled.key_folder.glob("master-*.key")).chmod(0o644)
    ended = _banyan(settled, "work", "tests.sample")
    assert (ended.returncode, "key_file_exposed" in ended.stderr) == (2, True), ended.stderr


def test_keys_are_never_made_over_others(tmp_path: Path) -> None:
    keys.create(tmp_path / "k")
    before = {path.name: path.read_bytes() for path in (tmp_path / "k").iterdir()}
    with pytest.raises(Refused) as refused:
        keys.create(tmp_path / "k")
    assert refused.value.code == "key_files_exist"
    assert {path.name: path.read_bytes() for path in (tmp_path / "k").iterdir()} == before
