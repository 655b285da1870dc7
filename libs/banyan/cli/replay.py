"""`banyan replay`: a service's projections rebuilt from the first event beside the live ones, then swapped."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from banyan.cli.laptop import Laptop
from banyan.runtime.events.replay import Report, replay
from banyan.runtime.host.app import App, load_service, open_keys
from banyan.runtime.host.log_reader import LogReader
from banyan.runtime.rpc.threads import ThreadClient

SHOWN = 20


def run(laptop: Laptop, service: str) -> Report:
    """Rebuilds and tells; nothing is empty for a moment meanwhile."""
    settings = laptop.settings()
    app = App(load_service(service), settings, open_keys(settings))
    client = ThreadClient(settings.amqp_url, connection_name="banyan replay")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns) as bars:
            tasks = {stream: bars.add_task(stream, total=None) for stream in sorted(app.service.projections)}

            def progress(stream: str, position: int, head: int) -> None:
                bars.update(tasks[stream], completed=position, total=head)

            report = replay(app, LogReader(client, app).fetch, progress=progress)
    finally:
        client.close()
        app.pool.close()
    say = Console().print
    say(f"重放 {report.events} 个事件；与原表{'一致' if report.equal else '不一致，已换成重放所得'}")
    for difference in report.differences[:SHOWN]:
        say(f"  不同：{difference}")
    return report
