"""Who comes in, before any page is drawn: the teacher's link, a cookie for each viewer of a class, and what may be uploaded.

Outside of a class nothing of this happens. Cookies hold what must not stand in a page: no script can read them (HttpOnly), none is sent
from other sites, and they go when the browser is closed.
"""

from __future__ import annotations

import contextlib
import secrets
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from resnet_core import language
from resnet_core.classroom import keys
from resnet_core.classroom.policy import OWNER, TEACHER, VIEWER, Person, permits
from resnet_core.images import MAX_FILE_BYTES
from resnet_core.language import mark, tr

TEACHERS_COOKIE, VIEWERS_COOKIE = "resnet_lab_teacher", "resnet_lab_viewer"
#: Bytes that a viewer may upload at once: a picture, and the form around it.
MOST_UPLOADED = MAX_FILE_BYTES + 1024 * 1024
#: The messages of Streamlit's protocol that a browser needs for the app's pages.
_SENT_BY_PAGES = ("rerun_script", "stop_script", "app_heartbeat", "file_urls_request", "backend_operation_request")
_LOOPBACK = ("127.0.0.1", "::1")
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")
_LASTING: dict[str, Any] = {"httponly": True, "samesite": "strict", "path": "/"}


def is_here(address: str | None, host: str | None) -> bool:
    """Tell whether a request comes from this machine itself, which it calls by one of its own names for itself.

    Args:
        address: at the other end of the connection; None where Streamlit says loopback so.
        host: the header, with a port or without; None in a test without a server.
    """
    try:
        name = urlsplit(f"//{host or 'localhost'}").hostname
    except ValueError:
        return False
    return (address is None or address in _LOOPBACK) and name in _OWN_NAMES


def person(cookies: dict[str, str], here: bool, spare: str = "") -> Person:
    """Tell who somebody in a class is.

    Args:
        here: as ``is_here`` says.
        spare: what a viewer is known by whose browser keeps no cookies.
    """
    if keys.is_teacher(cookies.get(TEACHERS_COOKIE)):
        return Person(TEACHER)
    if here:
        return Person(OWNER)
    return Person(VIEWER, keys.viewer_id(cookies.get(VIEWERS_COOKIE) or spare))


def _said(request: Request, sentence: str) -> str:
    """A sentence in the language that the browser asks for."""
    language.use(language.nearest(request.headers.get("accept-language", "").partition(",")[0]))
    return tr(sentence)


async def let_the_teacher_in(request: Request) -> Response:
    """``/teacher?key=...``: puts the key where no page shows it, and goes on to the page of the class."""
    key = request.query_params.get("key", "")
    response: Response
    if keys.is_teacher(key):
        response = RedirectResponse("class", status_code=303)
        response.set_cookie(TEACHERS_COOKIE, key, secure=request.url.scheme == "https", **_LASTING)
    else:
        text = mark(
            "This is not the teacher's key. Open the link that the terminal shows where the class was started; each start has a new one."
        )
        response = PlainTextResponse(_said(request, text), status_code=403)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


class Doorkeeper:
    """Around the whole app, as ASGI has it: gives each viewer of a class an id, and refuses what no page sends."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not keys.is_class():
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            known = _known(HTTPConnection(scope))
            await self.app(scope, receive if permits(known, "lead the class") else _only_what_pages_send(receive), send)
            return
        request = Request(scope)
        if request.method == "PUT" and _too_large(request):
            text = mark("In a class only pictures can be brought along.")
            await PlainTextResponse(_said(request, text), status_code=413)(scope, receive, send)
            return
        new = request.method == "GET" and not request.cookies.get(VIEWERS_COOKIE) and "text/html" in request.headers.get("accept", "")

        async def send_with_cookie(message: Message) -> None:
            if new and message["type"] == "http.response.start" and "text/html" in Headers(raw=message["headers"]).get("content-type", ""):
                cookie = Response()
                cookie.set_cookie(VIEWERS_COOKIE, secrets.token_urlsafe(24), secure=request.url.scheme == "https", **_LASTING)
                MutableHeaders(raw=message["headers"]).append("set-cookie", cookie.headers["set-cookie"])
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def _known(connection: HTTPConnection) -> Person:
    client = connection.client.host if connection.client else ""
    return person(connection.cookies, is_here(client, connection.headers.get("host")))


def _only_what_pages_send(receive: Receive) -> Receive:
    """Leaves out what Streamlit's protocol has for developers: one message would clear the caches of all viewers."""

    async def receive_permitted() -> Message:
        while True:
            message = await receive()
            content = message.get("bytes") if message["type"] == "websocket.receive" else None
            if content is None:
                return message
            with contextlib.suppress(Exception):  # what is no message at all
                if BackMsg.FromString(content).WhichOneof("type") in _SENT_BY_PAGES:
                    return message

    return receive_permitted


def _too_large(request: Request) -> bool:
    """Whether somebody uploads more than they may; what does not say how much it is counts as too much."""
    if permits(_known(request), "upload large files"):
        return False
    length = request.headers.get("content-length", "")
    return not length.isdecimal() or int(length) > MOST_UPLOADED


ROUTES = [Route("/teacher", let_the_teacher_in)]
MIDDLEWARE = [Middleware(Doorkeeper)]
