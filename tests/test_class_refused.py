"""What a viewer of a class tries without the teacher's key, each for itself: none of it works, and each is told why."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.testing.v1 import AppTest

from pages.ui import door, estimate, permitted
from pages.ui.permitted import PermittedBook, PermittedStore
from resnet_core import data, imports
from resnet_core.architectures import ResNetConfig
from resnet_core.classroom import keys
from resnet_core.classroom.book import ClassBook
from resnet_core.classroom.policy import Refused, Rules
from resnet_core.classroom.refusal import ClassError
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.errors import ConfigError
from resnet_core.questions import Question
from resnet_core.runs import RunStore
from tests.page_tools import KEY, app, become, write_run

QUESTION = Question("which", "Which is better?", "choice", ("plain-20", "plain-56"))
ME, OTHER = "my-cookie", "the-cookie-of-another"


def config(seed: int = 0, iterations: int = 40) -> RunConfig:
    return RunConfig(ResNetConfig(8, "none", 4), DataConfig(), Recipe(iterations=iterations, seed=seed))


@pytest.fixture
def here(monkeypatch) -> SimpleNamespace:
    """A class with one question that is open, and another's trainings: one that waits, one that has stopped. The viewer is ``ME``."""
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    monkeypatch.setattr(estimate, "seconds", lambda config, paces, iterations=None: config.recipe.iterations / 10)
    other, me = become(monkeypatch, OTHER), become(monkeypatch, ME)
    store = RunStore()
    waiting = store.submit(config(1), owner=other)[0]
    stopped = write_run(store, config(2), 30.0, state="stopped", part=0.5, owner=other)
    (store.home / "damaged").mkdir()
    book = ClassBook()
    book.open(QUESTION, 1)
    book.answer(1, other, 0)
    return SimpleNamespace(store=store, book=book, me=me, other=other, waiting=waiting, stopped=stopped)


def states(store: RunStore) -> dict[str, tuple[str, str]]:
    return {run.id: (run.name, run.state().state) for run in store.runs()}


#: What is tried -> how, and what the viewer is told.
TRIES = {
    "stop another's training": (lambda h: PermittedStore().stop(h.waiting.id), "somebody else's"),
    "let another's training go on": (lambda h: PermittedStore().resume(h.stopped.id), "somebody else's"),
    "rename another's training": (lambda h: PermittedStore().rename(h.waiting.id, "mine"), "somebody else's"),
    "delete another's training": (lambda h: PermittedStore().delete(h.waiting.id), "somebody else's"),
    "delete a damaged run": (lambda h: PermittedStore().delete("damaged"), "somebody else's"),
    "train the same once more": (lambda h: PermittedStore().submit(config(1), again=True), "one of each is enough"),
    "train from a folder of the server": (lambda h: PermittedStore().submit(config(5), data_dir="/etc"), "can be named there"),
    "train for too long": (
        lambda h: PermittedStore().submit(config(5, iterations=6001)),
        "in this class one may take 10",
    ),
    "train two at once by one click": (lambda h: permitted.admit([config(5), config(6)]), "this would add 2"),
    "train for too long by a press in a lesson": (
        lambda h: PermittedStore().begin_together([config(5), config(6, iterations=6001)]),
        "in this class one may take 10",
    ),
    "press a second time while the first is trained": (lambda h: h.pressed(), "You have 1, and this would add 1"),
    "train one more beside a press": (lambda h: h.beside(), "You have 1, and this would add 1"),
    "train as somebody else": (lambda h: h.forged(), "this would add 1"),
    "import a checkpoint": (lambda h: permitted.accept(None, "x", "none", "A"), "teacher alone imports"),
    "delete a checkpoint": (lambda h: permitted.delete_checkpoint("x"), "teacher alone deletes"),
    "download a data set": (lambda h: permitted.downloading(), "teacher alone downloads"),
    "download weights": (lambda h: permitted.downloading_weights(), "teacher alone downloads"),
    "download from the Hub": (lambda h: permitted.fetching_from_hub(), "teacher alone downloads"),
    "name a folder of the server": (lambda h: permitted.ask("name folders"), "can be named there"),
    "ask the class": (lambda h: PermittedBook().open(QUESTION), "teacher's key"),
    "close a question": (lambda h: PermittedBook().close(1), "teacher's key"),
    "show all answers": (lambda h: PermittedBook().reveal(1, 0), "teacher's key"),
    "see the answers before they are shown": (lambda h: PermittedBook().answers(h.book.latest()), "teacher's key"),
    "see the answers of before, with what is right": (lambda h: PermittedBook().asked(), "teacher's key"),
    "see another's answer": (lambda h: PermittedBook().answer_of(h.book.latest(), h.other), "teacher's key"),
    "answer for another": (lambda h: PermittedBook().answer(1, h.other, 1), "teacher's key"),
    "answer what is no option": (lambda h: PermittedBook().answer(1, h.me, 7), "choose one of the 2 options"),
    "answer what was never asked": (lambda h: PermittedBook().answer(99, h.me, 0), "not there any more"),
    "rename another": (lambda h: PermittedBook().set_name(h.other, "x"), "teacher's key"),
    "hide behind a nickname that cannot be seen": (lambda h: PermittedBook().set_name(h.me, "\u202e"), "visible"),
    "change the rules": (lambda h: PermittedBook().set_rules(Rules(most_runs=20)), "teacher's key"),
    "delete the class": (lambda h: PermittedBook().delete(), "teacher's key"),
}


@pytest.mark.parametrize("what", TRIES)
def test_a_viewer_tries_and_cannot(here, monkeypatch, what):
    def never(*_args, **_options):
        raise AssertionError("it was done")

    def forged() -> None:
        """With a name for the owner that is not one's own: the run would be one's own all the same, and there is one already."""
        RunStore().submit(config(7), owner=here.me)
        PermittedStore().submit(config(8), owner=here.other)

    for module, name in ((imports, "accept"), (imports, "delete"), (data, "download")):
        monkeypatch.setattr(module, name, never)

    def pressed(second=lambda: PermittedStore().begin_together([config(10), config(11)])) -> None:
        """After a press that is trained."""
        PermittedStore().begin_together([config(7), config(8)])
        second()

    here.forged, here.pressed = forged, pressed
    here.beside = lambda: pressed(lambda: PermittedStore().submit(config(9)))
    attempt, told = TRIES[what]
    before = states(here.store), here.book.asked(), here.book.names(), here.book.rules(), here.book.answers(here.book.latest())
    with pytest.raises((Refused, ConfigError, ClassError)) as refused:
        attempt(here)
    assert told in str(refused.value), str(refused.value)
    after = states(here.store), here.book.asked(), here.book.names(), here.book.rules(), here.book.answers(here.book.latest())
    for mine in [run.id for run in here.store.runs() if run.owner == here.me]:  # what was let through before
        assert what in ("train as somebody else", "press a second time while the first is trained", "train one more beside a press")
        del after[0][mine]
    assert after == before and (here.store.home / "damaged").exists()


@pytest.mark.parametrize("who", ["teacher", "owner"])
@pytest.mark.parametrize("what", [what for what in TRIES if TRIES[what][1] in ("somebody else's", "teacher's key")])
def test_the_teacher_and_the_owner_can(here, monkeypatch, who, what):
    become(monkeypatch, who)
    TRIES[what][0](here)


def test_what_a_viewer_may_with_their_own(here):
    store = PermittedStore()
    run, is_new = store.submit(config(9))
    assert is_new and run.owner == here.me
    assert store.submit(config(9)) == (run, False) and store.submit(config(1)) == (here.waiting, False)  # to look at takes no leave
    store.rename(run.id, "my net")
    store.stop(run.id)
    store.resume(run.id)
    store.delete(run.id)
    assert run not in here.store.runs()
    PermittedBook().answer(1, here.me, 1)
    PermittedBook().answer(1, here.me, 0)
    assert PermittedBook().answer_of(here.book.latest(), here.me) == 0
    PermittedBook().set_name(here.me, "Ann")
    assert PermittedBook().names() == {here.me: "Ann"}


def test_while_training_is_locked_nothing_begins_and_nothing_goes_on(here, monkeypatch):
    mine = write_run(here.store, config(3), 30.0, state="stopped", part=0.5, owner=here.me)
    here.book.set_rules(Rules(locked=True))
    for attempt in (lambda: PermittedStore().submit(config(9)), lambda: PermittedStore().resume(mine.id)):
        with pytest.raises(Refused, match="locked training"):
            attempt()
    become(monkeypatch, "teacher")
    assert PermittedStore().submit(config(9))[1]


def test_a_length_that_is_not_known_yet_waits(here, monkeypatch):
    monkeypatch.setattr(estimate, "seconds", lambda *_: None)
    with pytest.raises(Refused, match="half a minute"):
        PermittedStore().submit(config(9))


def test_the_right_answer_is_told_when_it_is_revealed_and_not_before(here):
    assert here.book.latest().answer == 1 and PermittedBook().latest().answer is None
    here.book.close(1)
    assert PermittedBook().latest().answer is None
    here.book.reveal(1)
    assert PermittedBook().latest().answer == 1
    assert PermittedBook().answers(PermittedBook().latest()) == {here.other: 0}


# -- by the address, the cookies and the upload -------------------------------------------------------------------------------


def called(path: str, method: str = "GET", query: str = "", client: str = "192.0.2.7", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """What the app's outer layers answer: status, headers, body. Behind them an app says 200 and ``inside``."""

    async def inside(scope, receive, send):
        if scope["path"] == "/teacher":
            await door.ROUTES[0].handle(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html; charset=utf-8")]})
        await send({"type": "http.response.body", "body": b"inside"})

    async def call():
        sent = []

        async def send(message):
            sent.append(message)

        given = {"host": "192.0.2.2:8501"} | {name.replace("_", "-"): value for name, value in headers.items()}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "scheme": "http",
        }
        scope |= {"headers": [(name.encode(), value.encode()) for name, value in given.items()], "client": (client, 5), "server": ("x", 1)}
        scope |= {"root_path": "", "http_version": "1.1"}
        await door.Doorkeeper(inside)(scope, None, send)
        return sent

    start, *bodies = asyncio.run(call())
    return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, b"".join(each["body"] for each in bodies)


@pytest.mark.parametrize("key", ["", "x", "test-key", KEY.upper(), keys.digest(KEY), f"{KEY}%00", "%ff"])
def test_a_wrong_key_opens_nothing(here, key):
    status, headers, body = called("/teacher", query=f"key={key}")
    assert status == 403 and "set-cookie" not in headers and b"not the teacher's key" in body


def test_the_right_key_goes_into_a_cookie_that_no_script_reads_and_out_of_the_address(here):
    status, headers, body = called("/teacher", query=f"key={KEY}")
    assert (status, headers["location"], headers["cache-control"], body) == (303, "class", "no-store", b"")
    assert KEY in headers["set-cookie"] and "HttpOnly" in headers["set-cookie"] and "SameSite=strict" in headers["set-cookie"]
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("cookie", ["", "x", keys.digest(KEY), KEY[:-1]])
def test_a_forged_cookie_makes_no_teacher(here, cookie):
    who = door.person({door.TEACHERS_COOKIE: cookie}, here=False)
    assert who.role == "viewer"


@pytest.mark.parametrize(
    ("address", "host", "here"),
    [
        (None, "localhost:8501", True), ("127.0.0.1", "127.0.0.1:8501", True), ("::1", "[::1]:8501", True), (None, None, True),
        ("192.0.2.7", "localhost:8501", False),  # a header is written by whoever sends it
        ("127.0.0.1", "192.0.2.2:8501", False), (None, "lab.example", False),  # through a proxy of this machine
        ("192.0.2.7", "192.0.2.2", False), (None, "localhost.evil.test", False), (None, "[", False),
    ],
)  # fmt: skip
def test_who_sits_at_this_machine(address, host, here):
    assert door.is_here(address, host) is here


def test_each_viewer_gets_a_cookie_once(here):
    _, headers, _ = called("/class", accept="text/html")
    cookie = headers["set-cookie"]
    assert cookie.startswith(f"{door.VIEWERS_COOKIE}=") and "HttpOnly" in cookie and len(cookie.split("=")[1].split(";")[0]) >= 32
    assert called("/class", accept="text/html")[1]["set-cookie"] != cookie
    assert "set-cookie" not in called("/class", accept="text/html", cookie=f"{door.VIEWERS_COOKIE}=abc")[1]


@pytest.mark.parametrize(
    ("headers", "client", "status"),
    [
        ({"content_length": str(door.MOST_UPLOADED)}, "192.0.2.7", 200),
        ({"content_length": str(door.MOST_UPLOADED + 1)}, "192.0.2.7", 413),
        ({"transfer_encoding": "chunked"}, "192.0.2.7", 413),  # it does not say how much it is
        ({"content_length": "-1"}, "192.0.2.7", 413),
        ({"content_length": str(600 << 20), "cookie": f"{door.TEACHERS_COOKIE}={KEY}"}, "192.0.2.7", 200),
        ({"content_length": str(600 << 20), "cookie": f"{door.TEACHERS_COOKIE}=x"}, "192.0.2.7", 413),
        ({"content_length": str(600 << 20), "host": "localhost:8501"}, "127.0.0.1", 200),
    ],
)
def test_viewers_upload_pictures_and_nothing_larger(here, headers, client, status):
    assert called("/_stcore/upload_file/session/file", "PUT", client=client, **headers)[0] == status


@pytest.mark.parametrize(
    ("cookie", "arrive"), [("x", ["rerun_script", "app_heartbeat"]), (KEY, ["rerun_script", "clear_cache", "app_heartbeat"])]
)
def test_messages_for_developers_do_not_arrive_from_viewers(here, cookie, arrive):
    """``clear_cache`` clears the caches of all viewers, and any browser can send it."""
    sent = [BackMsg(rerun_script=ClientState(page_name="class")), BackMsg(clear_cache=True), BackMsg(app_heartbeat=True)]
    raw = [*(each.SerializeToString() for each in sent), b"\xff no message"][: 4 if cookie == "x" else 3]
    left = [*({"type": "websocket.receive", "bytes": content} for content in raw), {"type": "websocket.disconnect"}]
    arrived = []

    async def receive():
        return left.pop(0)

    async def inside(scope, receive, send):
        while (message := await receive())["type"] != "websocket.disconnect":
            arrived.append(BackMsg.FromString(message["bytes"]).WhichOneof("type"))

    headers = [(b"host", b"192.0.2.2:8501"), (b"cookie", f"{door.TEACHERS_COOKIE}={cookie}".encode())]
    asyncio.run(door.Doorkeeper(inside)({"type": "websocket", "headers": headers, "client": ("192.0.2.7", 5)}, receive, None))
    assert arrived == arrive


def test_a_thread_of_the_server_that_draws_for_nobody_may_no_more_than_a_stranger(here, monkeypatch):
    """A file that is made when it is fetched is made in such a thread, whoever fetches it: there is no address, as at this machine."""
    become(monkeypatch, "owner")
    assert permitted.may("lead the class")
    monkeypatch.setattr(permitted.runtime, "exists", lambda: True)
    assert not permitted.may("lead the class") and not permitted.may("delete")
    monkeypatch.delenv(keys.KEY_DIGEST)
    assert not permitted.may("name folders")


def test_outside_of_a_class_the_door_stands_open_as_before(monkeypatch):
    monkeypatch.delenv(keys.KEY_DIGEST, raising=False)
    assert called("/", accept="text/html") == (200, {"content-type": "text/html; charset=utf-8"}, b"inside")
    assert called("/_stcore/upload_file/a/b", "PUT", content_length=str(600 << 20))[0] == 200
    assert called("/teacher", query=f"key={KEY}")[0] == 403


# -- by the pages: a click on what was drawn for somebody else -----------------------------------------------------------------


def errors(page: AppTest) -> str:
    return " ".join(each.value for each in page.error).replace("\\", "")


def test_buttons_that_the_teacher_has_do_nothing_when_a_viewer_presses_them(here, root: Path, monkeypatch):
    become(monkeypatch, "teacher")
    page = app(root, monkeypatch, address="192.0.2.7").run().switch_page("train/page.py")
    page.query_params["tab"] = "Runs"
    page.run()
    before = states(here.store)
    drawn = (f"stop.{here.waiting.id}", f"resume.{here.stopped.id}", f"delete.{here.waiting.id}", "delete.damaged")
    buttons = [page.button(key=key) for key in drawn]
    become(monkeypatch, ME)
    for button in buttons:
        button.click()
    page.run()
    assert not page.exception and states(here.store) == before and (here.store.home / "damaged").exists()
    assert not {key for key in drawn if key in {button.key for button in page.button}}


def test_a_dialog_that_is_open_refuses_too(here, root: Path, monkeypatch):
    become(monkeypatch, ME)
    page = app(root, monkeypatch, address="192.0.2.7").run().switch_page("train/page.py")
    page.session_state["runs.asked"] = ("delete", here.waiting.id)
    page.run()
    page.button(key="delete.confirm").click().run()
    assert "somebody else's" in errors(page) and here.waiting in here.store.runs()


def test_the_demo_is_four_trainings_and_none_of_them_begins(here, root: Path, monkeypatch):
    become(monkeypatch, ME)
    before = states(here.store)
    page = app(root, monkeypatch, address="192.0.2.7").run()
    page.button(key="demo_start").click().run()
    assert "this would add 4" in errors(page) and states(here.store) == before


def test_starting_more_rows_than_the_quota_begins_none_of_them(here, root: Path, monkeypatch):
    become(monkeypatch, ME)
    before = states(here.store)
    page = app(root, monkeypatch, address="192.0.2.7").run().switch_page("train/page.py").run()
    page.button(key="train.start").click().run()
    assert "this would add" in errors(page) and states(here.store) == before


def test_the_import_is_not_drawn_and_says_why(here, root: Path, monkeypatch):
    become(monkeypatch, ME)
    page = app(root, monkeypatch, address="192.0.2.7").run().switch_page("checkpoints/page.py")
    page.query_params["section"] = "Import"
    page.run()
    assert "teacher alone imports checkpoints" in errors(page) and not page.get("file_uploader")


def test_the_page_of_the_class_has_nothing_of_the_teachers_for_a_viewer(here, root: Path, monkeypatch):
    become(monkeypatch, "teacher")
    page = app(root, monkeypatch, address="192.0.2.7").run().switch_page("class_/page.py").run()
    assert page.button(key="class.ask") and page.button(key="class.close")
    page.checkbox(key="class.sure").check().run()
    close, delete = page.button(key="class.close"), page.button(key="class.delete")
    become(monkeypatch, ME)
    close.click()
    delete.click()
    page.run()  # what was drawn for the teacher calls back, and is refused
    assert "teacher's key" in errors(page) and here.book.latest().state == "open"
    assert not [button.key for button in page.button if button.key in ("class.ask", "class.close", "class.delete", "class.csv")]


def test_the_keys_stand_in_no_page(here, root: Path, monkeypatch):
    for who in ("teacher", ME):
        become(monkeypatch, who)
        page = app(root, monkeypatch, address="192.0.2.7").run()
        for name in ("class_/page.py", "train/page.py"):
            page.switch_page(name).run()
            assert not page.exception
            source = str(page) + str(page.main) + " ".join(str(each.proto) for each in page.main)
            assert name != "class_/page.py" or QUESTION.text in source
            assert KEY not in source and keys.digest(KEY) not in source and ME not in source
