"""The two moves that keep an assignment and its prices optimal together on the pairs kept (net.py says what that is).

`insert` finds a place for one request, `offer` gives away one place; each follows the shortest path in reduced values
(Dijkstra), moves the prices by what the path found, and moves every request on it one worker on.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np

from services.matching.optimum.net import FAR, NOBODY, Net, compile_it, cost, join, part
from services.matching.ranking.arrays import Ints


@compile_it
def best_gain(net: Net, request: int) -> int:
    """What the request would gain at the workers' prices; 0 where nobody is worth it."""
    best, pair = 0, np.int64(net.first_of_request[request])
    while pair >= 0:
        worker = np.int64(net.pair_worker[pair])
        gain = net.pair_value[pair] - net.price[worker]
        if net.pair_on[pair] and gain > best and net.places[worker] > 0:
            best = gain
        pair = np.int64(net.next_of_request[pair])
    return best


@compile_it
def reach(net: Net, worker: int, way: int, pair: int, heap: Any, touched: Any) -> None:
    """Notes the shortest way to a worker so far, and the pair it comes by."""
    if net.distance[worker] == FAR:
        touched.append(worker)
    net.distance[worker], net.reached_by[worker] = way, pair
    heapq.heappush(heap, (way, worker))


@compile_it
def spread(net: Net, request: int, base: int, end: int, heap: Any, touched: Any) -> None:
    """Reaches the workers of a request's pairs, where the way over them is the shortest so far and shorter than `end`."""
    pair = np.int64(net.first_of_request[request])
    while pair >= 0:
        worker = np.int64(net.pair_worker[pair])
        way = base + net.price[worker] - net.pair_value[pair]
        shorter = way < end and way < net.distance[worker] and not net.done[worker]
        if shorter and net.pair_on[pair] and net.places[worker] > 0:
            reach(net, worker, way, pair, heap, touched)
        pair = np.int64(net.next_of_request[pair])


@compile_it
def shift(net: Net, settled: Any, end: int, sign: int) -> None:
    """Moves the prices of the workers nearer than `end` by what is left to it, and their requests' surpluses against it."""
    for worker in settled:
        by = (end - net.distance[worker]) * sign
        if end > net.distance[worker]:
            net.price[worker] += by
            other = np.int64(net.head[worker])
            while other >= 0:
                net.surplus[other] -= by
                other = np.int64(net.after[other])


@compile_it
def wipe(net: Net, touched: Any) -> None:
    """Clears what the search noted."""
    for worker in touched:
        net.distance[worker], net.reached_by[worker], net.done[worker] = FAR, NOBODY, False


@compile_it
def insert(net: Net, request: int) -> int:
    """A request that has no worker gets the place that is best for all, or stays without; answers how far was looked."""
    best = best_gain(net, request)
    net.surplus[request] = best
    if best == 0:
        return 0
    heap, touched, settled = [(np.int64(0), np.int64(0))], [np.int64(0)], [np.int64(0)]
    heap.pop()
    touched.pop()
    settled.pop()
    end, dropped, taken = best, np.int64(request), np.int64(NOBODY)  # staying without; somebody dropping out; a place
    spread(net, request, best, end, heap, touched)
    while len(heap) > 0:
        way, worker = heapq.heappop(heap)
        if way >= end:
            break
        if net.done[worker]:
            continue
        net.done[worker] = True
        settled.append(worker)
        if net.used[worker] < net.places[worker]:
            free = way + cost(net, worker, net.used[worker]) - net.price[worker]
            if free < end:
                end, dropped, taken = free, np.int64(NOBODY), worker
        other = np.int64(net.head[worker])
        while other >= 0:
            base = way + net.surplus[other]
            if base < end:
                end, dropped, taken = base, other, np.int64(NOBODY)
            spread(net, other, base, end, heap, touched)
            other = np.int64(net.after[other])
    shift(net, settled, end, 1)
    net.surplus[request] -= end
    if dropped != request:
        make_room(net, request, dropped, taken)
    wipe(net, touched)
    return len(settled)


@compile_it
def make_room(net: Net, request: int, dropped: int, taken: int) -> None:
    """Moves each request on the way one worker on, from the place that is taken or left, back to the request itself."""
    worker = taken
    if dropped >= 0:
        worker = np.int64(net.mate[dropped])
        part(net, dropped)
    moving = np.int64(NOBODY)
    while moving != request:
        pair = np.int64(net.reached_by[worker])
        moving = np.int64(net.pair_request[pair])
        old = np.int64(net.mate[moving])
        if old >= 0:
            part(net, moving)
        join(net, moving, worker, pair)
        worker = old


@compile_it
def offer(net: Net, given: int, except_for: int) -> int:
    """A free place of a worker whose price asks for more: somebody comes to it, or the price falls; answers how far was
    looked. `except_for`: a request that must not come (it is about to be placed anew), or NOBODY."""
    if net.used[given] >= net.places[given] or net.price[given] <= cost(net, given, net.used[given]):
        return 0
    heap, touched, settled = [(np.int64(0), np.int64(given))], [np.int64(given)], [np.int64(given)]
    settled.pop()
    net.distance[given] = 0
    end, last, comes = net.price[given] - cost(net, given, net.used[given]), np.int64(given), np.int64(NOBODY)
    while len(heap) > 0:
        way, worker = heapq.heappop(heap)
        if way >= end:
            break
        if net.done[worker]:
            continue
        net.done[worker] = True
        settled.append(worker)
        base = way + net.price[worker]
        left = base - cost(net, worker, net.used[worker] - 1) if worker != given else end
        if left < end:
            end, last, comes = left, worker, np.int64(NOBODY)
        pair = np.int64(net.first_of_worker[worker])
        while pair >= 0:
            request = np.int64(net.pair_request[pair])
            at = np.int64(net.mate[request])
            on = base + net.surplus[request] - net.pair_value[pair]
            if on < end and net.pair_on[pair] and at != worker and request != except_for:
                if at < 0:
                    end, last, comes = on, worker, pair
                elif not net.done[at] and on < net.distance[at]:
                    reach(net, at, on, pair, heap, touched)
            pair = np.int64(net.next_of_worker[pair])
    shift(net, settled, end, -1)
    fill(net, given, last, comes)
    wipe(net, touched)
    return len(settled)


@compile_it
def fill(net: Net, given: int, last: int, comes: int) -> None:
    """Whoever comes joins the last worker on the way; each request on the way moves one worker on, to the given place."""
    worker = last
    if comes >= 0:
        join(net, np.int64(net.pair_request[comes]), worker, comes)
    while worker != given:
        pair = np.int64(net.reached_by[worker])
        moving, to = np.int64(net.pair_request[pair]), np.int64(net.pair_worker[pair])
        part(net, moving)
        join(net, moving, to, pair)
        worker = to


@compile_it
def take_out(net: Net, request: int) -> int:
    """A request leaves; its place is given away. Its surplus is 0 until it is inserted again."""
    worker = np.int64(net.mate[request])
    net.surplus[request] = 0
    if worker < 0:
        return 0
    part(net, request)
    return offer(net, worker, request)


@compile_it
def place_anew(net: Net, requests: Ints) -> int:
    """Each request, whose pairs have changed, is taken out and inserted again; answers how far was looked in all."""
    looked = 0
    for request in requests:
        looked += take_out(net, request)
        pair = np.int64(net.first_of_request[request])
        while pair >= 0:
            net.pair_on[pair] = True
            pair = np.int64(net.next_of_request[pair])
        looked += insert(net, request)
    return looked


@compile_it
def give_out(net: Net, worker: int) -> int:
    """A worker's free places that are new: each goes to who gains most, until the price asks for no more than the next one
    costs. Where nobody is with the worker yet, the price first rises to what anybody would pay."""
    if net.used[worker] == 0:
        pair = np.int64(net.first_of_worker[worker])
        while pair >= 0:
            least = net.pair_value[pair] - net.surplus[net.pair_request[pair]]
            if net.pair_on[pair] and least > net.price[worker]:
                net.price[worker] = least
            pair = np.int64(net.next_of_worker[pair])
    looked = 0
    while net.used[worker] < net.places[worker] and net.price[worker] > cost(net, worker, net.used[worker]):
        looked += offer(net, worker, NOBODY)
    return looked
