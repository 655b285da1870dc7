"""The private servers do what the faults rely on: outlive, freeze, die, come back on the same port with their data."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import amqp
import psycopg
import pytest

from banyan.kernel.refusal import Refused
from banyan.runtime.host.vhost import is_ours, require_our_vhost
from banyan.testkit import owned
from banyan.testkit.detached import free_port, reachable_home, unprivileged
from banyan.testkit.owned import at_path, claim_vhost, create_vhost, drop_database, drop_vhost, fresh_name, ours
from banyan.testkit.rabbit import management_call
from banyan.testkit.servers import PrivatePostgres, PrivateRabbit, ServerFailed

QUORUM = {"x-queue-type": "quorum"}

pytestmark = pytest.mark.timeout(300)


def test_each_test_has_an_empty_database(database: str) -> None:
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert tables == (0,)
        assert connection.info.dbname == ours(connection.info.dbname)


def test_nothing_but_our_own_is_dropped(postgres: PrivatePostgres) -> None:
    for name in ("postgres", "banyan", "banyan_test", "registry", "banyan_test_x; DROP"):
        with pytest.raises(ValueError, match="left alone"):
            drop_database(postgres.url, name)


def test_each_test_has_an_empty_vhost(vhost: str, rabbit: PrivateRabbit) -> None:
    with amqp.Connection(
        f"127.0.0.1:{rabbit.port}", userid="banyan", password=rabbit.password, virtual_host=vhost.rsplit("/", 1)[1]
    ) as connection:
        channel = connection.channel()
        channel.queue_declare("q", durable=True, auto_delete=False, arguments=QUORUM)
        channel.basic_publish(amqp.Message("一"), routing_key="q")
        assert rabbit.api("GET", f"/api/queues/{vhost.rsplit('/', 1)[1]}/q")["type"] == "quorum"


def test_another_process_finds_freezes_kills_and_restarts_it(tmp_path: Path) -> None:
    ours_here = PrivatePostgres(tmp_path / "pg", fsync=False).start()
    try:
        found = PrivatePostgres.attach(tmp_path / "pg")
        assert found.url == ours_here.url
        with psycopg.connect(found.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            found.freeze()
            with pytest.raises(psycopg.OperationalError):
                psycopg.connect(found.url, connect_timeout=2)
            found.thaw()
            assert connection.execute("SELECT 1").fetchone() == (1,)
            found.kill()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
        assert not ours_here.running
        ours_here.start()
        assert ours_here.url == found.url
        with psycopg.connect(found.url) as connection:
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        ours_here.stop()
        with pytest.raises(ServerFailed, match="没有正在运行"):
            PrivatePostgres.attach(tmp_path / "pg")
    finally:
        ours_here.destroy()


@pytest.mark.skipif(os.geteuid() != 0, reason="只有 root 的目录才会对服务器的用户关闭")
def test_files_outside_of_a_closed_folder_stay_with_it_and_a_new_one_in_its_place_gets_others(tmp_path: Path) -> None:
    closed, user = tmp_path / "closed", unprivileged("postgres")
    folder = closed / "pg"
    folder.mkdir(parents=True)
    closed.chmod(0o700)
    homes = []
    try:
        for _ in range(2):
            homes.append(reachable_home(folder, user, None))
            (homes[-1] / "data").touch()
        assert len({folder, *homes}) == 3, "moved aside or deleted, another begins anew"
        assert [reachable_home(folder, user, str(home)) for home in homes] == homes
    finally:
        for home in homes:
            shutil.rmtree(home)


def test_a_server_that_cannot_start_shows_its_log(tmp_path: Path) -> None:
    server = PrivatePostgres(tmp_path / "pg", settings={"no_such_setting": "1"})
    try:
        with pytest.raises(ServerFailed, match="no_such_setting"):
            server.start()
    finally:
        server.destroy()


def test_rabbit_keeps_confirmed_messages_through_a_kill(tmp_path: Path) -> None:
    server = PrivateRabbit(tmp_path / "mq").start()
    try:
        connection = _connected(server)
        connection.channel().queue_declare("q", durable=True, auto_delete=False, arguments=QUORUM)
        connection.close()
        # RabbitMQ 3.10 leaves a quorum queue without a leader for good if it is killed in the second that made it.
        server.restart()
        connection = _connected(server)
        channel = connection.channel()
        channel.confirm_select()
        channel.basic_publish_confirm(amqp.Message("一", delivery_mode=2), routing_key="q")
        address = server.url
        server.kill()
        connection.collect()
        assert server.start().url == address
        with _connected(server) as connection:
            message = connection.channel().basic_get("q", no_ack=True)
            assert message is not None
            assert message.body == "一"
    finally:
        server.destroy()


def _connected(server: PrivateRabbit) -> amqp.Connection:
    connection = amqp.Connection(f"127.0.0.1:{server.port}", userid="banyan", password=server.password)
    connection.connect()
    return connection


def test_a_vhost_is_ours_only_by_its_mark(rabbit: PrivateRabbit) -> None:
    name = fresh_name()
    url = at_path(rabbit.url, name)
    try:
        rabbit.api("PUT", f"/api/vhosts/{name}")
        with pytest.raises(Refused, match="not_our_vhost"):
            require_our_vhost(url, "test")
        rabbit.api("PUT", f"/api/exchanges/{name}/theirs", {"type": "topic"})
        with pytest.raises(Refused, match="not_our_vhost"):
            claim_vhost(url, rabbit.admin_url, "test")
        assert not is_ours(url, "test"), "somebody's vhost is left as it was"
        rabbit.api("DELETE", f"/api/exchanges/{name}/theirs")
        claim_vhost(url, rabbit.admin_url, "test")
        require_our_vhost(url, "test")
        with pytest.raises(Refused, match="not_our_vhost"):
            require_our_vhost(url, "demo")
        with pytest.raises(Refused, match="not_our_vhost"):
            claim_vhost(url, rabbit.admin_url, "production")
    finally:
        drop_vhost(rabbit.admin_url, name)


def test_a_crash_between_a_vhost_and_its_mark_is_mended(rabbit: PrivateRabbit, monkeypatch: pytest.MonkeyPatch) -> None:
    name = fresh_name()
    url = at_path(rabbit.url, name)

    def crashes(admin_url: str, method: str, path: str, body: Any = None) -> Any:
        if path.startswith("/api/exchanges"):
            raise KeyboardInterrupt
        return management_call(admin_url, method, path, body)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(owned, "management_call", crashes)
            with pytest.raises(KeyboardInterrupt):
                create_vhost(rabbit.url, rabbit.admin_url, name)
        assert not is_ours(url, "test")
        claim_vhost(url, rabbit.admin_url, "test")
        assert is_ours(url, "test")
    finally:
        drop_vhost(rabbit.admin_url, name)


def test_a_broker_that_does_not_answer_keeps_nobody_from_starting() -> None:
    require_our_vhost(f"amqp://a:b@127.0.0.1:{free_port()}/x", "test")
