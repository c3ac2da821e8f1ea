"""The queue is fair: people take turns, whoever queues how much; the order is the same wherever it is told."""

from __future__ import annotations

import json
import random

import pytest

from resnet_core.runs import Run
from resnet_core.runs.turns import in_turn, last_began
from tests.runs_tools import config, put


def slowly(waiting: list[tuple[str, int, str]], began: dict[str, str]) -> list[str]:
    """The same by looking at everything each time: serve, note the turn, look again."""
    left, turns, found = list(waiting), {owner: (0, time) for owner, time in began.items()}, []
    while left:
        first = {owner: min(ticket for other, ticket, _ in left if other == owner) for owner, *_ in left}
        owner = min(first, key=lambda each: (turns.get(each, (0, "")), first[each]))
        chosen = next(entry for entry in left if entry[:2] == (owner, first[owner]))
        left.remove(chosen)
        found.append(chosen[2])
        turns[owner] = (len(found), "")
    return found


def test_many_of_one_person_do_not_stand_before_one_of_another():
    waiting = [("a", 1, "a1"), ("a", 2, "a2"), ("a", 3, "a3"), ("b", 4, "b1"), ("c", 5, "c1"), ("b", 6, "b2")]
    assert in_turn(waiting, {}) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_who_has_just_had_a_turn_comes_behind_who_has_not():
    waiting = [("a", 1, "a2"), ("a", 2, "a3"), ("b", 3, "b1"), ("c", 4, "c1")]
    began = {"a": "2026-11-30T10:00:00.000000+00:00", "c": "2026-11-30T09:00:00.000000+00:00"}
    assert in_turn(waiting, began) == ["b1", "c1", "a2", "a3"]


def test_runs_of_nobody_in_particular_go_first_come_first_served():
    assert in_turn([("", 3, "z"), ("", 1, "x"), ("", 2, "y")], {"": "2026"}) == ["x", "y", "z"]


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_looking_at_everything_each_time_gives(seed):
    rng = random.Random(seed)
    waiting = [(rng.choice("abcd"), ticket, str(ticket)) for ticket in rng.sample(range(100), rng.randint(1, 25))]
    began = {owner: f"2026-11-30T10:0{rng.randint(0, 3)}" for owner in rng.sample("abcd", rng.randint(0, 4))}
    found = in_turn(waiting, began)
    assert found == slowly(waiting, began)
    assert sorted(found) == sorted(text for *_, text in waiting)


def test_nobody_waits_for_more_than_one_turn_of_each_other():
    """Between two turns of one who waits, nobody else has two."""
    waiting = [(owner, ticket, owner) for ticket, owner in enumerate("aaaaabbbccd")]
    found = in_turn(waiting, {})
    for place, owner in enumerate(found):
        upto = found.index(owner, place + 1) if owner in found[place + 1 :] else place
        between = found[place + 1 : upto]
        assert len(between) == len(set(between))


def test_the_last_beginning_of_each():
    assert last_began([("a", "2026-01"), ("b", None), ("a", "2026-03"), ("a", "2026-02")]) == {"a": "2026-03"}


def test_queue_places_and_the_worker_agree(store):
    queued = [store.submit(config(seed), owner=owner)[0] for seed, owner in enumerate(["anna", "anna", "anna", "ben", "", "ben"])]
    expected = [queued[each] for each in (0, 3, 4, 1, 5, 2)]
    assert store.queue() == expected
    assert [run.state().place for run in expected] == [1, 2, 3, 4, 5, 6]
    places = {run.id: status.place for run, status in store.look().runs}
    assert [places[run.id] for run in expected] == [1, 2, 3, 4, 5, 6]
    taken = []
    for minute in range(6):  # as a worker takes them: whose run begins has had a turn
        with store.locked():
            run = store.next_queued("cpu")
        put(store, run, state="finished", started=f"2026-11-30T10:0{minute}:00.000000+00:00")
        taken.append(run)
    assert taken == expected


def test_a_newcomer_stands_before_the_second_run_of_who_was_there(store):
    first, second = (store.submit(config(seed), owner="anna")[0] for seed in (0, 1))
    put(store, first, state="finished", started="2026-11-30T10:00:00.000000+00:00")
    newcomer = store.submit(config(2), owner="ben")[0]
    assert store.queue() == [newcomer, second]
    assert (newcomer.state().place, second.state().place) == (1, 2)


def test_an_owner_is_kept_with_the_run_and_none_stands_for_nobody(store):
    mine, nobodys = store.submit(config(0), owner="4f2a")[0], store.submit(config(1))[0]
    assert (Run(mine.path).owner, Run(nobodys.path).owner) == ("4f2a", "")
    assert "owner" not in json.loads((nobodys.path / "run.json").read_text())


@pytest.mark.parametrize("owner", [7, "", "two words", "x" * 81, ["a"]])
def test_a_wrong_owner_is_damage(store, owner):
    run = store.submit(config(0))[0]
    text = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(text | {"owner": owner}))
    assert store.runs() == [] and "owner" in store.broken()[0][1]
