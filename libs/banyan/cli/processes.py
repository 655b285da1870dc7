"""The three kinds of process and the migration, as the command line starts them."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Sequence

import structlog
from prometheus_client import start_http_server

from banyan.kernel.refusal import Refused
from banyan.runtime.host import memory, roles, telemetry
from banyan.runtime.host import settings as all_settings
from banyan.runtime.host.app import App, load_service, open_keys, package_of
from banyan.runtime.host.migrate import mark, require_ours
from banyan.runtime.host.migrate import migrate as migrate_one
from banyan.runtime.host.settings import Settings
from banyan.runtime.host.vhost import require_our_vhost
from banyan.testkit.detached import free_port

SERVICES = ("identity", "registry", "matching", "insight")
log = structlog.get_logger()


def _apps(names: Sequence[str], process: str) -> tuple[Settings, list[App]]:
    """The services of a process, loaded and warm: that comes before consuming."""
    memory.give_back()
    settings = all_settings.load()
    telemetry.start(settings, process)
    keys = open_keys(settings)
    require_our_vhost(settings.amqp_url, settings.mode)
    apps = [App(load_service(name), settings, keys) for name in names or SERVICES]
    for app in apps:
        require_ours(settings, app.service.name)
        app.reference.current()
        _warm(app)
    return settings, apps


def _ready(settings: Settings, process: str) -> Callable[[], None]:
    """What a process does when it serves: opens its metrics and leaves a file that says so."""

    def ready() -> None:
        port = _open_metrics(settings, process)
        settings.run.mkdir(parents=True, exist_ok=True)
        (settings.run / f"{process}.ready").write_text(f"{os.getpid()} {port}\n")

    return ready


def _open_metrics(settings: Settings, process: str) -> int:
    """Serves this process's Prometheus figures on a port of their own, and says where."""
    port = settings.metrics_port or free_port()
    start_http_server(port, addr=settings.metrics_host)
    log.info("已就绪", process=process, metrics=f"http://{settings.metrics_host}:{port}/metrics")
    return port


def serve(names: Sequence[str]) -> None:
    """Answers RPC for the services."""
    from banyan.runtime.rpc import green

    green.green_psycopg()
    settings, apps = _apps(names, "banyan serve")
    handlers = {app.service.name: app.bus.execute for app in apps}
    green.serve(handlers, settings.amqp_url, max_workers=settings.workers, on_ready=_ready(settings, "serve"))


def _warm(app: App) -> None:
    """State that a service keeps in memory, where it has any: services.<name>.state.start(app)."""
    if importlib.util.find_spec(f"{app.service.package}.state"):
        importlib.import_module(f"{app.service.package}.state").start(app)


def work(names: Sequence[str]) -> None:
    """Runs the loops of the services."""
    from banyan.runtime.host import work as working

    settings, apps = _apps(names, "banyan work")
    working.run(apps, ready=_ready(settings, "work"))


def gateway() -> None:
    """Serves HTTP."""
    memory.give_back()
    settings = all_settings.load()
    telemetry.start(settings, "banyan gateway")
    require_our_vhost(settings.amqp_url, settings.mode)
    _open_metrics(settings, "gateway")
    importlib.import_module("services.gateway.app").serve(settings)


def migrate(names: Sequence[str]) -> None:
    """Brings the databases up to date and says where they stand; where it may make no roles, shows the SQL for them."""
    settings = all_settings.load()
    short = {name: name.rsplit(".", 1)[-1] for name in names or SERVICES}
    try:
        for name, service in short.items():
            revision = migrate_one(settings, service, package_of(name))
            log.info("数据库已是最新", service=service, revision=revision)
    except Refused as refused:
        if refused.code == "roles_missing":
            print(roles.script(map(settings.database, short.values()), mark(settings)))
        raise
