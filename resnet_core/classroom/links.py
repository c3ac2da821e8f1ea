"""The two links of a class, and the code that phones read."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import socket
from typing import Any
from urllib.parse import quote


def own_names() -> list[str]:
    """Tell by which addresses and names others may reach this machine, the likeliest first; ``localhost`` where there is no network."""
    found = []
    # Nothing is sent: the system only says from which of its addresses it would send.
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            found.append(probe.getsockname()[0])
    name = socket.gethostname()
    with contextlib.suppress(OSError, UnicodeError):
        found += [str(address[4][0]) for address in socket.getaddrinfo(name, None)]
    usable = [address.split("%")[0] for address in found if not ipaddress.ip_address(address.split("%")[0]).is_loopback]
    return list(dict.fromkeys([*usable, name, f"{name}.local"] if usable else ["localhost"]))


def address(host: str, port: int) -> str:
    """Write the address of the app at a host's name or IP address, without a slash at the end."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def viewers_link(host: str, port: int) -> str:
    """Write the link that everybody gets."""
    return f"{address(host, port)}/class"


def teachers_link(host: str, port: int, key: str) -> str:
    """Write the link that the teacher alone gets. What is behind it takes the key out of the address."""
    return f"{address(host, port)}/teacher?key={quote(key, safe='')}"


def qr_text(link: str) -> str:
    """Draw a link as a QR code for a terminal."""
    drawn = io.StringIO()
    _code(link).terminal(out=drawn, compact=True)
    return drawn.getvalue()


def qr_svg(link: str) -> str:
    """Draw a link as a QR code: black on white in both themes, as wide as what it stands in."""
    return str(_code(link).svg_inline(border=3, dark="#000", light="#fff", omitsize=True))


def _code(link: str) -> Any:
    import segno

    return segno.make(link, error="m", micro=False)
