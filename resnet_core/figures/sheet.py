"""Pictures to take away: side by side on white, each with its words below, so that it can be told later what it is of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Height of a letter and of its line, and the white around pictures and words, in pixels.
_LETTER, _LINE, _MARGIN = 20, 27, 12
_INK = (31, 36, 48)
#: Pillow's own font, which is there on every machine, knows Latin letters only.
_PLAIN = str.maketrans({"–": "-", "—": "-", "−": "-", "…": "...", "“": '"', "”": '"', "Δ": "delta "})


def captioned(picture: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """uint8 (H, W, 3) -> uint8 (H', W + margins, 3): the picture with the lines below it; what is wider than the picture is wrapped."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_LETTER)
    height, width = picture.shape[:2]
    words = [part for line in lines for part in _wrapped(line, width, font)]
    sheet = Image.new("RGB", (width + 2 * _MARGIN, height + 2 * _MARGIN + _LINE * len(words)), "white")
    sheet.paste(Image.fromarray(picture), (_MARGIN, _MARGIN))
    draw = ImageDraw.Draw(sheet)
    for row, text in enumerate(words):
        draw.text((_MARGIN, height + _MARGIN + 4 + _LINE * row), text, _INK, font)
    return np.asarray(sheet)


def _wrapped(text: str, width: int, font) -> list[str]:
    """The text in lines no wider than ``width`` pixels, broken between words, and within one that is wider itself."""
    lines = [""]
    for word in text.translate(_PLAIN).encode("latin-1", "replace").decode("latin-1").split():
        while word:
            longer = f"{lines[-1]} {word}".strip()
            if font.getlength(longer) <= width:
                lines[-1], word = longer, ""
            elif lines[-1]:
                lines.append("")
            else:
                fits = next(n for n in range(len(word), 0, -1) if n == 1 or font.getlength(word[:n]) <= width)
                lines[-1], word = word[:fits], word[fits:]
                lines.append("")
    return [line for line in lines if line]


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """uint8 (H, W, 3) each, of any sizes, from left to right; white below the lower ones."""
    height = max(picture.shape[0] for picture in pictures)
    return np.hstack([_padded(picture, height, picture.shape[1]) for picture in pictures])


def stacked(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """As ``side_by_side``, from top to bottom."""
    width = max(picture.shape[1] for picture in pictures)
    return np.vstack([_padded(picture, picture.shape[0], width) for picture in pictures])


def _padded(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    missing = (height - picture.shape[0], width - picture.shape[1])
    return np.pad(picture, ((0, missing[0]), (0, missing[1]), (0, 0)), constant_values=255)
