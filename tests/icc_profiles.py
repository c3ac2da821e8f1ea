"""Colour profiles made by hand, and what their colours are in sRGB by the formula."""

from __future__ import annotations

import struct

import numpy as np


def _tag(kind: bytes, *parts: bytes) -> bytes:
    data = kind + bytes(4) + b"".join(parts)
    return data + bytes(-len(data) % 4)


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


#: Name -> the colorants (columns: XYZ under D50), the curve of its channels, and the matrix from its linear colours to those of sRGB, as
#: published (ICC's Display P3; Adobe RGB (1998) Color Image Encoding).
_SRGB_CURVE = _tag(b"para", struct.pack(">HH", 3, 0), _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
SPACES = {
    "Display P3": (
        ((0.515102, 0.241196, -0.001053), (0.291965, 0.692245, 0.041885), (0.157153, 0.066559, 0.784073)),
        _SRGB_CURVE,
        ((1.2249402, -0.2249402, 0), (-0.0420570, 1.0420570, 0), (-0.0196376, -0.0786360, 1.0982736)),
    ),
    "Adobe RGB (1998)": (
        ((0.609741, 0.311111, 0.019470), (0.205276, 0.625671, 0.060867), (0.149185, 0.063217, 0.744568)),
        _tag(b"curv", struct.pack(">IH", 1, 563)),
        ((1.3983557, -0.3983557, 0), (0, 1, 0), (0, -0.0429290, 1.0429290)),
    ),
}


def profile_of(name: str) -> bytes:
    """A colour profile (ICC.1:2022) of one of ``SPACES``."""
    colorants, curve, _ = SPACES[name]
    text = name.encode("utf-16-be")
    tags = {b"desc": _tag(b"mluc", struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28), text)}
    tags |= {b"wtpt": _tag(b"XYZ ", _fixed(0.9642, 1.0, 0.8249))}
    tags |= {key: _tag(b"XYZ ", _fixed(*xyz)) for key, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, data = struct.pack(">I", len(tags)), b""
    for key, content in tags.items():
        table += struct.pack(">4sII", key, 132 + 12 * len(tags) + len(data), len(content))
        data += content
    header = struct.pack(">I4sI4s4s4s", 132 + 12 * len(tags) + len(data), bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + table + data


def in_srgb(name: str, color: tuple[int, int, int]) -> tuple[int, ...]:
    """A colour of one of ``SPACES`` as sRGB, by the formula; what sRGB does not have is cut off."""
    value = np.array(color) / 255
    if name.startswith("Adobe"):
        linear = value ** (563 / 256)
    else:
        linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(SPACES[name][2]) @ linear, 0, 1)
    coded = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return tuple(round(float(each)) for each in coded * 255)
