"""Whose turn it is: the runs of different people take turns, and those of one person go in the order in which they were queued."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def in_turn(waiting: Iterable[tuple[str, int, T]], began: Mapping[str, str]) -> list[T]:
    """Sort what waits for one pool: the person who has had no turn for longest is next, and of several the one with the lowest ticket.

    Args:
        waiting: of each run its owner (empty: nobody in particular, who counts as one person), its ticket, and what stands for it.
        began: when a run of an owner last began, as ISO 8601 in UTC, for those of whom one has; in any pool.
    """
    mine: dict[str, deque[tuple[int, T]]] = defaultdict(deque)
    for owner, ticket, each in sorted(waiting, key=lambda entry: entry[1]):
        mine[owner].append((ticket, each))
    # Who has had a turn in this very order comes behind all who have not, and behind those who had theirs before.
    people = [(0, began.get(owner, ""), runs[0][0], owner) for owner, runs in mine.items()]
    heapq.heapify(people)
    ordered: list[T] = []
    while people:
        *_, owner = heapq.heappop(people)
        ordered.append(mine[owner].popleft()[1])
        if mine[owner]:
            heapq.heappush(people, (len(ordered), "", mine[owner][0][0], owner))
    return ordered


def last_began(runs: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Tell when a run of each owner last began; ``runs`` are all runs there are: owner and ``started``."""
    found: dict[str, str] = {}
    for owner, started in runs:
        if started:
            found[owner] = max(started, found.get(owner, ""))
    return found
