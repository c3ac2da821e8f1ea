"""The download, against a server of our own: whole or not at all, whatever breaks off."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import socket
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest
import torch

from resnet_core.config import DataConfig
from resnet_core.data import download, downloading, load, resolve_data_dir
from resnet_core.datasets import DATA_SETS, Fetched
from resnet_core.errors import DataError
from tests import data_fake
from tests.data_fake import small_files  # noqa: F401  a fixture

NAME = "cifar-10-python.tar.gz"

pytestmark = pytest.mark.usefixtures("small_files")


class Server(http.server.ThreadingHTTPServer):
    """Serves one archive; ``behaviour``: ``whole``, ``break`` (closes after half of it) or ``slow`` (waits after half of it for ``go``)."""

    daemon_threads = True

    def __init__(self, content: bytes):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.behaviour, self.downloads, self.go = content, "whole", 0, threading.Event()
        self.half_sent = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{NAME}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, half = self.server, len(self.server.content) // 2
        self.send_response(200)
        self.send_header("Content-Length", str(len(server.content)))
        self.end_headers()
        if self.headers["Method"] == "HEAD":  # torchvision looks for redirections first, and reads no further
            return
        server.downloads += 1
        self.wfile.write(server.content[:half])
        self.wfile.flush()
        server.half_sent.set()
        if server.behaviour == "slow":
            server.go.wait(60)
        if server.behaviour != "break":
            self.wfile.write(server.content[half:])

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def content():
    return data_fake.batches()


@pytest.fixture(scope="module")
def archive(content, tmp_path_factory) -> bytes:
    folder = data_fake.write_python(tmp_path_factory.mktemp("archive") / "cifar-10-batches-py", content)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(folder, "cifar-10-batches-py")
    return packed.getvalue()


@pytest.fixture
def server(archive, monkeypatch, tmp_path):
    server = Server(archive)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    fetched = (Fetched(server.url, hashlib.md5(archive).hexdigest(), len(archive)),)
    monkeypatch.setitem(DATA_SETS, "cifar10", dataclasses.replace(DATA_SETS["cifar10"], fetched=fetched))
    monkeypatch.setattr(downloading, "INTERVAL", 0.02)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield server
    server.go.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def place(tmp_path) -> Path:
    return tmp_path / "cache" / "resnet-lab"


def left_in(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.name != ".cifar10-download.lock")


def test_a_download_is_put_where_load_finds_it(server, place, content):
    server.behaviour, steps = "slow", []

    def progress(done: int, total: int) -> None:
        steps.append((done, total))
        if 0 < done < total:
            server.go.set()  # only once the half was reported

    total = len(server.content)
    assert download(progress) == place / "cifar-10-batches-py"
    assert steps == sorted(steps) and {each[1] for each in steps} == {total}
    assert any(0 < done < total for done, _ in steps) and steps[-1] == (total, total)
    assert left_in(place) == ["cifar-10-batches-py"]
    data = load(DataConfig("cifar10"))
    assert data.test.labels.tolist() == content["test_batch"][1].tolist()
    assert torch.equal(data.test.images[0].reshape(-1), torch.from_numpy(content["test_batch"][0][0]))
    assert download() == place / "cifar-10-batches-py" and server.downloads == 1  # it is there: nothing is fetched again


def test_one_that_breaks_off_leaves_nothing_and_the_next_one_starts_anew(server, place):
    server.behaviour, half = "break", len(server.content) // 2
    with pytest.raises(DataError) as caught:
        download()
    for hint in (
        server.url,
        f"{half:,} of {len(server.content):,} bytes had arrived",
        "Nothing was kept",
        "--data-dir",
        "RESNET_LAB_DATA",
        "tar -xzf",
    ):
        assert hint in str(caught.value)
    assert left_in(place) == [] and resolve_data_dir() is None

    # What a killed one leaves behind, and a copy that is not whole, do not stand in the way.
    (place / ".cifar10-download" / "cifar-10-batches-py").mkdir(parents=True)
    (place / ".cifar10-download" / NAME).write_bytes(server.content[:1000])
    (place / "cifar-10-batches-py").mkdir()
    (place / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"half")
    assert resolve_data_dir() is None
    server.behaviour = "whole"
    assert download() == resolve_data_dir() == place / "cifar-10-batches-py"
    assert left_in(place) == ["cifar-10-batches-py"]


def test_without_a_network_the_error_says_what_was_tried(server, place, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/{NAME}"
    fetched = (dataclasses.replace(DATA_SETS["cifar10"].fetched[0], url=url),)
    monkeypatch.setitem(DATA_SETS, "cifar10", dataclasses.replace(DATA_SETS["cifar10"], fetched=fetched))
    with pytest.raises(DataError) as caught:
        download()
    assert url in str(caught.value) and "refused" in str(caught.value) and "RESNET_LAB_DATA" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert left_in(place) == []


def test_where_nothing_can_be_written_the_error_says_so(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"could not be downloaded to .*file/below"):
        download(to=tmp_path / "file" / "below")
    assert server.downloads == 0


def test_a_progress_that_raises_ends_it(server, place):
    server.behaviour = "slow"

    def progress(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(progress)
    assert left_in(place) == []


def test_two_at_once_fetch_it_once_and_both_see_the_progress(server, place):
    server.behaviour, seen, found = "slow", {0: [], 1: []}, {}

    def progress(who: int):
        def report(done: int, total: int) -> None:
            seen[who].append(done)
            if all(any(0 < done < total for done in each) for each in seen.values()):
                server.go.set()

        return report

    threads = [threading.Thread(target=lambda who=who: found.update({who: download(progress(who))}), daemon=True) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == {0: place / "cifar-10-batches-py", 1: place / "cifar-10-batches-py"}
    assert server.downloads == 1 and left_in(place) == ["cifar-10-batches-py"]


def test_the_downloading_process_ends_with_its_parent(server, tmp_path):
    server.behaviour = "slow"
    script = Path(downloading.__file__).with_name("fetch.py")
    command = [sys.executable, "-P", str(script), str(tmp_path / "part"), "cifar-10-batches-py", server.url, "0" * 32]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert server.half_sent.wait(60)
    process.stdin.close()  # as the kernel does when the parent is killed
    assert process.wait(60) == 1
    assert not server.go.is_set()
