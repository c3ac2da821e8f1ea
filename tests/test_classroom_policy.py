"""Who may do what: every action with every role, the quota of trainings, and the teacher's key."""

from __future__ import annotations

import hmac
import itertools

import pytest

from resnet_core.classroom import keys
from resnet_core.classroom.policy import (
    ACTIONS,
    GUEST,
    OWNER,
    ROLES,
    TEACHER,
    VIEWER,
    Person,
    Refused,
    Rules,
    check,
    check_training,
    permits,
)  # fmt: skip
from resnet_core.errors import ConfigError

#: What a role may not, whosever it is; and what it may with its own alone. Everything else it may.
MAY_NOT = {
    OWNER: set(),
    TEACHER: set(),
    VIEWER: {
        "train again",
        "import",
        "delete checkpoint",
        "download",
        "bring pictures",
        "upload large files",
        "name folders",
        "lead the class",
    },
    GUEST: {"name folders", "answer", "lead the class"},
}
OWN_ALONE = {OWNER: set(), TEACHER: set(), VIEWER: {"stop", "resume", "rename", "delete", "stop computation"}, GUEST: set()}
HERE = Person(VIEWER, "4f2a")


@pytest.mark.parametrize(("action", "role"), list(itertools.product(ACTIONS, ROLES)))
def test_the_table(action, role):
    never, own_alone = action in MAY_NOT[role], action in OWN_ALONE[role]
    assert permits(Person(role), action) is not (never or own_alone)
    assert permits(Person(role), action, own=True) is not never
    if never or own_alone:
        with pytest.raises(Refused, match=r"\w.*\.$"):
            check(Person(role), action)
    else:
        check(Person(role), action)


def test_the_table_above_speaks_of_actions_that_there_are():
    named = set().union(*MAY_NOT.values(), *OWN_ALONE.values())
    assert named <= set(ACTIONS)
    assert all(len(row) == len(ROLES) for row in ACTIONS.values())


def test_what_nobody_knows_is_nobodys():
    with pytest.raises(KeyError):
        permits(Person(OWNER), "fly")
    with pytest.raises(ValueError, match="tuple"):
        permits(Person("king"), "stop")


@pytest.mark.parametrize("role", [OWNER, TEACHER, GUEST])
def test_only_viewers_have_a_quota(role):
    check_training(Person(role), Rules(locked=True, most_runs=1, most_minutes=1), 50, [None, 1e9])


@pytest.mark.parametrize(
    ("rules", "active", "seconds", "word"),
    [
        (Rules(locked=True), 0, [1.0], "locked"),
        (Rules(), 1, [1.0], "have 1, and this would add 1"),
        (Rules(), 0, [1.0, 1.0], "have 0, and this would add 2"),
        (Rules(most_runs=2), 1, [1.0, 1.0], "at once: 2"),
        (Rules(), 0, [None], "measured"),
        (Rules(most_minutes=10), 0, [601.0], "about 10 minutes"),
        (Rules(most_runs=3, most_minutes=10), 0, [1.0, 1200.0], "about 20 minutes"),
    ],
)
def test_a_viewer_is_refused(rules, active, seconds, word):
    with pytest.raises(Refused, match=word):
        check_training(HERE, rules, active, seconds)


@pytest.mark.parametrize(
    ("rules", "active", "seconds"),
    [
        (Rules(), 0, [600.0]),
        (Rules(most_runs=2), 1, [1.0]),
        (Rules(locked=True), 5, []),  # what is there already is only looked at
    ],
)
def test_a_viewer_is_let_through(rules, active, seconds):
    check_training(HERE, rules, active, seconds)


def test_what_a_lesson_trains_at_one_press_is_one():
    check_training(HERE, Rules(), 0, [1.0] * 4, together=True)
    with pytest.raises(Refused, match="have 1, and this would add 1"):
        check_training(HERE, Rules(), 1, [1.0] * 4, together=True)
    with pytest.raises(Refused, match="about 20 minutes"):
        check_training(HERE, Rules(), 0, [1.0, 1200.0], together=True)


@pytest.mark.parametrize(
    "wrong", [{"most_runs": 0}, {"most_runs": 21}, {"most_runs": 1.5}, {"most_minutes": 0}, {"most_minutes": float("nan")}]
)
def test_rules_are_checked(wrong):
    with pytest.raises(ConfigError):
        Rules(**wrong)


def test_the_key(monkeypatch):
    key = keys.new_key()
    assert len(key) >= 43 and key != keys.new_key()
    monkeypatch.setenv(keys.KEY_DIGEST, keys.digest(key))
    assert keys.is_class() and keys.is_teacher(key)
    for wrong in ("", None, key[:-1], key + "A", key.swapcase(), keys.digest(key), "\udc80", "é"):
        assert not keys.is_teacher(wrong), wrong


def test_without_a_class_no_key_is_the_teachers(monkeypatch):
    monkeypatch.delenv(keys.KEY_DIGEST, raising=False)
    assert not keys.is_class() and not keys.is_teacher("") and not keys.is_teacher(keys.new_key())
    monkeypatch.setenv(keys.KEY_DIGEST, "")
    assert not keys.is_class() and not keys.is_teacher("")


def test_keys_are_compared_in_constant_time(monkeypatch):
    asked = []
    monkeypatch.setattr(keys.hmac, "compare_digest", lambda one, other: asked.append((one, other)) or True)
    monkeypatch.setenv(keys.KEY_DIGEST, "expected")
    assert keys.is_teacher("given") and asked == [(keys.digest("given"), "expected")]
    assert hmac is keys.hmac


def test_a_viewers_id_tells_nothing_of_the_token():
    one, other = keys.viewer_id("token"), keys.viewer_id("token2")
    assert one == keys.viewer_id("token") != other
    assert one.isalnum() and len(one) == 16 and "token" not in one
