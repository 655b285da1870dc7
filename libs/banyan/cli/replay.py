"""`banyan replay`: a service's projections rebuilt from the first event beside the live ones, then swapped."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from banyan.cli.laptop import Laptop
from banyan.runtime.events.replay import Report, replay
from banyan.runtime.host.app import App, load_service, open_keys
from banyan.runtime.host.log_reader import LogReader
from banyan.runtime.rpc.threads import ThreadClient

SHOWN = 20


def rebuilt(laptop: Laptop, service: str, progress: Callable[[str, int, int], None]) -> Report:
    """Rebuilds, compares and swaps; nothing is empty for a moment meanwhile. `progress`: stream, position, head."""
    settings = laptop.settings()
    app = App(load_service(service), settings, open_keys(settings), as_owner=True)
    client = ThreadClient(settings.amqp_url, connection_name="banyan replay")
    try:
        return replay(app, LogReader(client, app).fetch, progress=progress)
    finally:
        client.close()
        app.pool.close()


def run(laptop: Laptop, service: str) -> Report:
    """Rebuilds under progress bars, and tells."""
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(stream: str, position: int, head: int) -> None:
            if stream not in tasks:
                tasks[stream] = bars.add_task(stream, total=head)
            bars.update(tasks[stream], completed=position, total=head)

        report = rebuilt(laptop, service, progress)
    say = Console().print
    say(f"重放 {report.events} 个事件；与原表{'一致' if report.equal else '不一致，已换成重放所得'}")
    for difference in report.differences[:SHOWN]:
        say(f"  不同：{difference}")
    return report
