"""The net of kept pairs, its assignment and its prices. Optimal means that on the pairs kept
  surplus[r] + price[w] >= value of every pair, equal on every pair in use (a request's surplus and a worker's price
  are what each gains), a worker's price is at least the cost of the dearest place in use and, where one is left free,
  at most the cost of the next; a request that nobody serves has surplus 0.
These are the conditions of the certificate (docs/optimum.md). The functions are plain Python over arrays; numba compiles
the very same ones where it is installed.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from services.matching.ranking import kernel
from services.matching.ranking.arrays import Ints

F = TypeVar("F", bound=Callable[..., Any])
FAR = 1 << 60
NOBODY = -1


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
    capacity: Any
    load: Any
    band_percent: Any
    band_points: Any
    distance: Any  # scratch: FAR, NOBODY and False between calls
    reached_by: Any
    done: Any


def compile_it(function: F) -> F:
    if importlib.util.find_spec("numba") is None:
        return function
    os.environ.setdefault("NUMBA_CACHE_DIR", str(kernel.cache_folder()))
    import numba

    return numba.njit(cache=True)(function)  # type: ignore[no-any-return]


@compile_it
def cost(net: Net, worker: int, nth: int) -> int:
    """What the worker's place after `nth` ones given here costs: the points of the last band that the load reached."""
    points = 0
    for band in range(len(net.band_percent)):
        if 100 * (net.load[worker] + nth) >= net.band_percent[band] * net.capacity[worker]:
            points = net.band_points[band]
    return points


@compile_it
def join(net: Net, request: int, worker: int, pair: int) -> None:
    """The request goes to the worker."""
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
def link(net: Net, first: int, last: int) -> None:
    """Puts the pairs numbered from `first` up to `last` into the lists of their requests and workers, still off: a pair
    worth more than the prices say counts only once its request is placed anew."""
    for pair in range(first, last):
        request, worker = np.int64(net.pair_request[pair]), np.int64(net.pair_worker[pair])
        net.next_of_request[pair], net.first_of_request[request] = net.first_of_request[request], pair
        net.next_of_worker[pair], net.first_of_worker[worker] = net.first_of_worker[worker], pair
        net.pair_on[pair] = False


@compile_it
def settle(net: Net, queue: Ints) -> bool:
    """From an optimal assignment to its least prices: each starts at the cost of the dearest place in use and rises where
    a request would gain more elsewhere. False where the assignment was not optimal."""
    for worker in range(len(net.price)):
        net.price[worker] = cost(net, worker, net.used[worker] - 1) if net.used[worker] > 0 else 0
    many = len(net.mate)
    waiting = np.ones(many, np.bool_)
    for request in range(many):
        queue[request] = request
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
