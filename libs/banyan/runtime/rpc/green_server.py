"""The RPC server: nameko's containers and workers over our own link."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import amqp
import eventlet
from eventlet.event import Event
from eventlet.queue import LightQueue
from nameko import config
from nameko.containers import ServiceContainer
from nameko.exceptions import ContainerBeingKilled
from nameko.extensions import Entrypoint

from banyan.kernel.refusal import Refused
from banyan.runtime.rpc.answer import Answer, Answering, Handler
from banyan.runtime.rpc.calls import now_ms
from banyan.runtime.rpc.green_link import GreenLink
from banyan.runtime.rpc.link import LOST, bytes_of
from banyan.wire import rpc as wire

log = logging.getLogger(__name__)

FLUSH_S = 5.0


class BanyanRpc(Entrypoint):  # type: ignore[misc]
    """Nameko's entrypoint for our transport: every method of the service comes in here."""

    def setup(self) -> None:
        """Called by nameko before the start."""
        self._tasks = LightQueue()
        self._answering = self.container.service_cls.answering

    def start(self) -> None:
        """Begins to spawn what found no free worker; a full pool holds this greenlet up, never the reader."""
        self.container.spawn_managed_thread(self._spawn_workers, identifier="BanyanRpc.spawn_workers")

    def stop(self) -> None:
        """Returns when every message that was taken has a worker."""
        done = Event()
        self._tasks.put((done, None))
        done.wait()

    def take(self, message: Any) -> None:
        """Takes one message off the reader; never raises, whatever the message is."""
        try:
            headers = message.properties.get("application_headers") or {}
            call = wire.decode_request(
                self._answering.service,
                message.delivery_info["routing_key"],
                bytes_of(message),
                headers,
                redelivered=bool(message.delivery_info["redelivered"]),
                now_ms=now_ms(),
                content_type=message.properties.get("content_type"),
            )
            if not message.properties.get("reply_to"):
                raise Refused("bad_input", reason="no_reply_to")
            data = wire.context_data(headers)
            if self._tasks.empty() and has_free_worker(self.container):
                self._spawn_worker(message, call, data)
            else:
                self._tasks.put((message, (call, data)))
        except ContainerBeingKilled:
            log.warning("服务 %s 正在停止，消息留待重新投递", self._answering.service)
        except Exception as error:
            self._refuse(message, error)

    def _refuse(self, message: Any, error: Exception) -> None:
        refused = error if isinstance(error, Refused) else Refused("bad_input", reason="message")
        answered = bool(message.properties.get("reply_to"))
        self._answering.not_ours(error, answered=answered)
        reply(message, self._answering.refuse(refused))

    def _spawn_workers(self) -> None:
        while True:
            message, task = self._tasks.get()
            if task is None:
                message.send(None)
                return
            try:
                self._spawn_worker(message, *task)
            except ContainerBeingKilled:
                return

    def _spawn_worker(self, message: Any, call: wire.Call, data: dict[str, Any]) -> None:
        replied = partial(self._replied, message)
        self.container.spawn_worker(self, (call,), {}, context_data=data, handle_result=replied)

    def _replied(self, message: Any, _context: Any, result: Answer | None, exc_info: Any) -> tuple[Any, Any]:
        if result is None:
            result = self._answering.refuse(Refused("internal"))
        reply(message, result)
        error = result.error
        return result.body, (type(error), error, error.__traceback__) if error is not None else exc_info


def has_free_worker(container: Any) -> bool:
    """Whether spawning a worker returns at once. Private in nameko: a container does not show its pool."""
    return bool(container._worker_pool.free() > 0)


def reply(message: Any, answer: Answer) -> None:
    """Publishes the answer, then acknowledges; on a lost link both are left to the broker's redelivery."""
    channel = message.channel
    reply_to = message.properties.get("reply_to")
    try:
        if reply_to:
            exchange = "" if reply_to.startswith(wire.DIRECT_REPLY_TO) else wire.EXCHANGE
            out = amqp.Message(
                answer.body,
                content_type=wire.CONTENT_TYPE,
                content_encoding="utf-8",
                correlation_id=message.properties.get("correlation_id"),
                delivery_mode=1,
            )
            channel.basic_publish(out, exchange, reply_to)
        channel.basic_ack(message.delivery_tag)
    except LOST as error:
        log.warning("答复未能送出，消息将重新投递：%r", error)


class Consumers:
    """The consuming side of a link: one consumer a service, each with its own prefetch, on one channel."""

    def __init__(
        self, takers: Mapping[str, Callable[[Any], None]], prefetch: int, on_ready: Callable[[], None]
    ) -> None:
        self._takers, self._prefetch, self._on_ready = dict(takers), prefetch, on_ready
        self._channel: Any = None
        self._gone: set[str] = set()
        self._stopping = False

    def attach(self, connection: Any) -> None:
        """Declares the exchange and, for each service, its durable queue and binding; consumes."""
        channel = connection.channel()
        channel.exchange_declare(wire.EXCHANGE, "topic", durable=True, auto_delete=False)
        channel.basic_qos(0, self._prefetch, False)
        self._channel, self._gone = channel, set()
        if not self._stopping:
            for service in self._takers:
                self._consume(service)

    def attached(self) -> None:
        """All services consume."""
        self._on_ready()

    def detach(self) -> None:
        """Nothing to clean: the broker delivers again what was not acknowledged."""
        self._channel = None

    def room(self) -> None:
        """Answers do not wait for room: the prefetch limits them."""

    def turn(self) -> None:
        """Declares again the queues that someone deleted; waits for the broker, so it runs between frames."""
        while self._gone and not self._stopping:
            service = self._gone.pop()
            log.warning("服务 %s 的队列被删除，重新建立", service)
            self._consume(service)

    def stop(self) -> None:
        """Takes no further message; what still arrives goes back to the broker."""
        self._stopping = True
        channel = self._channel
        try:
            for service in self._takers if channel is not None else ():
                channel.basic_cancel(service, nowait=True)
        except LOST as error:
            log.debug("cancel on a lost link: %r", error)

    def _consume(self, service: str) -> None:
        channel, queue = self._channel, wire.queue_name(service)
        channel.queue_declare(queue, durable=True, auto_delete=False)
        channel.queue_bind(queue, wire.EXCHANGE, f"{service}.*")
        channel.basic_consume(
            queue, consumer_tag=service, callback=partial(self._deliver, service), on_cancel=self._gone.add
        )

    def _deliver(self, service: str, message: Any) -> None:
        if not self._stopping:
            self._takers[service](message)
            return
        try:
            message.channel.basic_reject(message.delivery_tag, requeue=True)
        except LOST as error:
            log.debug("reject on a lost link: %r", error)


class Server:
    """All services of one process."""

    def __init__(
        self, services: Mapping[str, Handler], amqp_url: str, *, max_workers: int, base: type, drain_s: float
    ) -> None:
        with config.patch({"max_workers": max_workers}):
            classes = [service_class(name, handler, base) for name, handler in services.items()]
            self._containers = [ServiceContainer(one) for one in classes]
        self._ready, self._drain_s = Event(), drain_s
        self._died: Exception | None = None
        takers = {container.service_name: next(iter(container.entrypoints)).take for container in self._containers}
        self._consumers = Consumers(takers, max_workers, self._set_ready)
        self._link = GreenLink.shared(amqp_url, connection_name=f"serve {' '.join(sorted(services))}")
        self._link.join(self._consumers)

    def run(self, on_ready: Callable[[], None] | None) -> None:
        """Serves until SIGTERM or SIGINT, or until a container dies; then drains."""
        stop = StopSignal()
        for container in self._containers:
            container.start()
            eventlet.spawn(self._watch, container, stop)
        self._link.start()
        waiter = eventlet.spawn(self._announce, on_ready)
        stop.wait()
        waiter.kill()
        self._drain()
        if self._died is not None:
            raise self._died

    def _watch(self, container: ServiceContainer, stop: StopSignal) -> None:
        """A container dies only when a nameko dependency of `base` raised outside a call; then the process must end."""
        try:
            container.wait()
        except Exception as error:
            log.critical("服务 %s 的容器已停止：%r", container.service_name, error)
            self._died = error
            stop.set()

    def _set_ready(self) -> None:
        if not self._ready.ready():
            self._ready.send(None)

    def _announce(self, on_ready: Callable[[], None] | None) -> None:
        self._ready.wait()
        log.info("开始接受调用：%s", "、".join(container.service_name for container in self._containers))
        if on_ready is not None:
            on_ready()

    def _drain(self) -> None:
        log.info("停止接受调用，办完手中的再退出")
        self._consumers.stop()
        with eventlet.Timeout(self._drain_s, False):
            for container in self._containers:
                container.stop()
        self._link.flush(FLUSH_S)
        self._link.release()


class StopSignal:
    """SIGTERM or SIGINT as something a greenlet can wait for: the handler only writes a byte, which wakes the hub."""

    def __init__(self) -> None:
        self._inner, self._outer = socket.socketpair()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: Any) -> None:
        self.set()

    def set(self) -> None:
        """Stops as a signal does."""
        try:
            self._outer.send(b"x")
        except OSError:
            return

    def wait(self) -> None:
        """Returns after the first signal."""
        self._inner.recv(1)


def service_class(name: str, handler: Handler, base: type) -> type:
    """The class that nameko serves under this name: one method, which answers every call with the handler."""
    answering = Answering(name, handler)

    def answer(self: Any, call: wire.Call) -> Answer:
        return answering.answer(call)

    body = {"name": name, "answering": answering, "answer": BanyanRpc.decorator(answer)}
    return type(f"{name.title()}Service", (base,), body)
