"""Requests that nothing tells apart but their ids: one kind 同类求助. They ask the same of everybody and nobody is named in them,
so whoever looks through their pairs need look once a kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from services.matching.ranking.arrays import Ints

_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio, as hashing by multiplication takes it
_SHIFT = np.uint64(29)


class Kinds(NamedTuple):
    """`of[r]`: the kind of request r; of each kind the first request and how many there are. Kinds ascend by their first."""

    of: Ints
    first: Ints
    many: Ints


def kinds_of(columns: Sequence[Ints], named: Ints) -> Kinds:
    """The kinds of rows that are alike in all columns; each of the rows `named` is a kind of its own."""
    apart = np.zeros(len(columns[0]), np.int64)
    apart[named] = 1 + named
    told = [apart, *columns]
    marks = np.zeros(len(apart), np.uint64)
    for column in told:
        marks = (marks ^ (marks >> _SHIFT)) * _ODD + column.astype(np.uint64)
    _, first, of, many = np.unique(marks, return_index=True, return_inverse=True, return_counts=True)
    if not all((column == column[first][of]).all() for column in told):  # two unlike rows with one mark
        return Kinds(np.arange(len(apart)), np.arange(len(apart)), np.ones(len(apart), np.int64))
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return Kinds(place[of], first[order], many[order])
