"""The net of kept pairs, its assignment and its prices. Optimal means that on the pairs kept
  surplus[r] + price[w] >= value of every pair, equal on every pair in use (a request's surplus and a worker's price
  are what each gains), a worker's price is at least the cost of the dearest place in use and, where one is left free,
  at most the cost of the next; a request that nobody serves has surplus 0.
These are the conditions of the certificate (docs/optimum.md). The functions are plain Python over arrays; numba compiles
the very same ones where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np

from services.matching.ranking import kernel
from services.matching.ranking.arrays import Ints

F = TypeVar("F", bound=Callable[..., Any])
FAR = 1 << 60
NOBODY = -1
UNMOVED = -2
SOURCES = ("net.py", "paths.py", "peers.py", "solve_kinds.py")
GROWTH_PERCENT = 150


class Net(NamedTuple):
    """Linked lists in arrays. Pairs: `pair_*`; requests: `mate` is the worker, `by` the pair in use; workers: `head`."""

    pair_request: Any
    pair_worker: Any
    pair_value: Any
    pair_on: Any
    next_of_request: Any
    next_of_worker: Any
    first_of_request: Any
    first_of_worker: Any
    mate: Any
    by: Any
    before: Any  # the one before and after in the list of the worker's requests
    after: Any
    surplus: Any
    head: Any
    used: Any
    places: Any
    price: Any
    first_place: Any
    place_cost: Any
    distance: Any  # scratch: FAR, NOBODY and False between calls
    reached_by: Any
    done: Any
    came_from: Any  # of each request that moved since `trail` was read: where it was; UNMOVED else
    trail: Any  # how many moved, then which


@cache
def version() -> str:
    """Changes with any source that is compiled here: numba itself would go on with code of an older net.py."""
    return f"{kernel.stamp(__package__, SOURCES):x}"


def compile_it(function: F) -> F:
    """The function as numba compiles it, kept under a name of its own for each version of the sources; itself where numba
    is not installed."""
    if not kernel.numba_installed():
        return function
    import numba

    function.__qualname__ += f"_{version()}"
    return numba.njit(cache=True)(function)  # type: ignore[no-any-return]


@compile_it
def cost(net: Net, worker: int, nth: int) -> int:
    """What the worker's place after `nth` ones given here costs, in points."""
    return net.place_cost[net.first_place[worker] + nth]  # type: ignore[no-any-return]


@compile_it
def note(net: Net, request: int) -> None:
    """Remembers where a request was before it moved."""
    if net.came_from[request] == UNMOVED:
        net.came_from[request] = net.mate[request]
        net.trail[0] += 1
        net.trail[net.trail[0]] = request


@compile_it
def join(net: Net, request: int, worker: int, pair: int) -> None:
    """The request goes to the worker."""
    note(net, request)
    head = net.head[worker]
    net.mate[request], net.by[request] = worker, pair
    net.before[request], net.after[request] = NOBODY, head
    if head >= 0:
        net.before[head] = request
    net.head[worker] = request
    net.used[worker] += 1


@compile_it
def part(net: Net, request: int) -> None:
    """The request leaves its worker."""
    note(net, request)
    worker, before, after = net.mate[request], net.before[request], net.after[request]
    if before >= 0:
        net.after[before] = after
    else:
        net.head[worker] = after
    if after >= 0:
        net.before[after] = before
    net.mate[request] = net.by[request] = NOBODY
    net.used[worker] -= 1


@compile_it
def link(net: Net, pairs: Ints) -> None:
    """Puts pairs into the lists of their requests and workers, still off: a pair worth more than the prices say counts only
    once its request is placed anew."""
    for pair in pairs:
        request, worker = np.int64(net.pair_request[pair]), np.int64(net.pair_worker[pair])
        net.next_of_request[pair], net.first_of_request[request] = net.first_of_request[request], pair
        net.next_of_worker[pair], net.first_of_worker[worker] = net.first_of_worker[worker], pair
        net.pair_on[pair] = False


@compile_it
def chain(first: int, following: Any) -> Ints:
    """The pairs of one list."""
    many, pair = 0, first
    while pair >= 0:
        many, pair = many + 1, np.int64(following[pair])
    found, pair = np.empty(many, np.int64), first
    for at in range(many):
        found[at], pair = pair, np.int64(following[pair])
    return found


@compile_it
def cut(first: Any, following: Any, key: int, pair: int) -> None:
    """Takes a pair out of the list of its key."""
    at = np.int64(first[key])
    if at == pair:
        first[key] = following[pair]
        return
    while following[at] != pair:
        at = np.int64(following[at])
    following[at] = following[pair]


@compile_it
def unlink(net: Net, pairs: Ints) -> None:
    """Pairs, none of them in use, that are no longer any: their numbers may be given to others."""
    for pair in pairs:
        cut(net.first_of_request, net.next_of_request, np.int64(net.pair_request[pair]), pair)
        cut(net.first_of_worker, net.next_of_worker, np.int64(net.pair_worker[pair]), pair)


@compile_it
def settle(net: Net) -> bool:
    """From an optimal assignment to its least prices: each starts at the cost of the dearest place in use and rises where
    a request would gain more elsewhere. False where the assignment was not optimal."""
    for worker in range(len(net.price)):
        net.price[worker] = cost(net, worker, net.used[worker] - 1) if net.used[worker] > 0 else 0
    many = len(net.mate)
    queue, waiting = np.arange(many), np.ones(many, np.bool_)
    first, left = 0, many
    while left > 0:
        request = queue[first % many]
        first, left = first + 1, left - 1
        waiting[request] = False
        worker = np.int64(net.mate[request])
        surplus = net.pair_value[net.by[request]] - net.price[worker] if worker >= 0 else 0
        if surplus < 0:
            return False
        net.surplus[request] = surplus
        pair = np.int64(net.first_of_request[request])
        while pair >= 0:
            to = np.int64(net.pair_worker[pair])
            least = net.pair_value[pair] - surplus
            if net.pair_on[pair] and to != worker and least > net.price[to] and net.places[to] > 0:
                if net.used[to] < net.places[to] and least > cost(net, to, net.used[to]):
                    return False
                net.price[to] = least
                other = np.int64(net.head[to])
                while other >= 0:
                    if not waiting[other]:
                        waiting[other] = True
                        queue[(first + left) % many] = other
                        left += 1
                    other = np.int64(net.after[other])
            pair = np.int64(net.next_of_request[pair])
    return True


def roomy(net: Net, *, pairs: int = 0, requests: int = 0, workers: int = 0) -> Net:
    """The net with room for at least so many pairs, requests and workers; what is new stands in no list yet."""
    wanted = (
        (OF_PAIRS, pairs, len(net.pair_request)),
        (OF_REQUESTS, requests, len(net.mate)),
        (OF_WORKERS, workers, len(net.price)),
    )
    grown: dict[str, Any] = {}
    for fresh, size, room in wanted:
        more = max(size, room * GROWTH_PERCENT // 100) - room if size > room else 0
        if more:
            for name, value in fresh.items():
                column = getattr(net, name)
                grown[name] = np.concatenate([column, np.full(more, value, column.dtype)])
    return net._replace(**grown)


OF_PAIRS = dict.fromkeys(("pair_request", "pair_worker", "pair_value", "pair_on"), 0) | dict.fromkeys(
    ("next_of_request", "next_of_worker"), NOBODY
)
OF_REQUESTS = dict.fromkeys(("first_of_request", "mate", "by", "before", "after"), NOBODY) | {
    "surplus": 0, "came_from": UNMOVED, "trail": 0,
}  # fmt: skip
OF_WORKERS = dict.fromkeys(("first_of_worker", "head", "reached_by"), NOBODY) | {
    "used": 0, "places": 0, "price": 0, "first_place": 0, "distance": FAR, "done": 0,
}  # fmt: skip
"""What each column of the net holds for one that is new."""
