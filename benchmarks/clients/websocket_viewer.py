"""A viewer without a browser, for benchmarks: it speaks Streamlit's protocol, and does what a browser does that only looks.

It draws nothing, so that thirty of them take no processor from what is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

#: What is drawn with plotly here is a component of this kind.
CHART = "bidi_component"


class Viewer:
    """One session.

    Attributes:
        begun: when it connected, by ``time.perf_counter``.
        first_chart: seconds from then until the first chart of the page had arrived; None before.
        messages, bytes: received.
        elements: kind -> the last element of that kind on the page.
    """

    def __init__(self, host: str, port: int, page: str = ""):
        self.host, self.port, self.page = host, port, page
        self.first_chart: float | None = None
        self.messages = self.bytes = 0
        self.elements: dict[str, Any] = {}
        self._widgets: dict[str, WidgetState] = {}
        self._polls: dict[str, asyncio.Task] = {}
        self._hash = ""
        self._socket: ClientConnection | None = None
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Connects, and asks for the page."""
        self.begun = time.perf_counter()
        cookie = f"resnet_lab_viewer={secrets.token_urlsafe(24)}"
        origin = f"http://{self.host}:{self.port}"
        self._socket = await connect(
            f"ws://{self.host}:{self.port}/_stcore/stream",
            host="127.0.0.1", port=self.port, origin=origin, subprotocols=["streamlit"], max_size=None, open_timeout=120,
            additional_headers={"Cookie": cookie}, ping_interval=None,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())
        await self.go(self.page)

    async def go(self, page: str) -> None:
        """Asks for another page."""
        self.page, self._hash = page, ""
        self._widgets.clear()
        await self._rerun()

    async def wait_for(self, condition: Callable[[], object], seconds: float = 300.0) -> None:
        """Waits until something that has arrived makes ``condition`` true."""
        async with asyncio.timeout(seconds):
            while not condition():
                if self._reader.done():
                    await self._reader  # raises why
                    raise ConnectionError("the app has closed the connection")
                self._changed.clear()
                await self._changed.wait()

    async def choose(self, option: int) -> None:
        """Chooses an option of the radio on the page."""
        radio = self.elements["radio"]
        self._widgets[radio.id] = WidgetState(id=radio.id, string_value=radio.options[option])
        await self._rerun()

    async def press(self, label: str) -> None:
        """Presses the button with that label."""
        button = self.elements[f"button {label}"]
        await self._rerun(pressed=button.id)

    async def close(self) -> None:
        """Leaves."""
        for task in [*self._polls.values(), self._reader]:
            task.cancel()
        assert self._socket is not None
        await self._socket.close()

    async def _rerun(self, fragment: str = "", pressed: str = "") -> None:
        state = ClientState(page_script_hash=self._hash, page_name=self.page, fragment_id=fragment, is_auto_rerun=bool(fragment))
        state.context_info.url = f"http://{self.host}:{self.port}/{self.page}"
        state.widget_states.widgets.extend(self._widgets.values())
        if pressed:
            state.widget_states.widgets.append(WidgetState(id=pressed, trigger_value=True))
        assert self._socket is not None
        await self._socket.send(BackMsg(rerun_script=state).SerializeToString())

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            async for content in self._socket:
                self.messages += 1
                self.bytes += len(content)
                self._take(ForwardMsg.FromString(content))
                self._changed.set()
        finally:
            self._changed.set()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            if not message.metadata.run.fragment_ids:  # the whole page: what it polls it says again
                self._stop_polls()
                self.elements.clear()
        elif kind == "navigation":
            self._hash = message.navigation.page_script_hash
        elif kind == "auto_rerun":
            fragment = message.auto_rerun.fragment_id
            if fragment in self._polls:
                self._polls[fragment].cancel()
            self._polls[fragment] = asyncio.create_task(self._poll(fragment, message.auto_rerun.interval))
        elif kind == "stop_auto_rerun":
            self._stop_polls(message.stop_auto_rerun.fragment_ids)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            name = element.WhichOneof("type")
            found = getattr(element, name)
            self.elements[f"{name} {found.label}" if name == "button" else name] = found
            if name == CHART and self.first_chart is None:
                self.first_chart = time.perf_counter() - self.begun

    def _stop_polls(self, fragments: Any = ()) -> None:
        for fragment in list(fragments or self._polls):
            if fragment in self._polls:
                self._polls.pop(fragment).cancel()

    async def _poll(self, fragment: str, interval: float) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(interval)
                await self._rerun(fragment)
