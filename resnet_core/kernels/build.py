"""From ``batch_norm.cpp`` to functions of this process: compiled once for a machine, by the compiler that ``torch.compile`` would call."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from resnet_core import atomic
from resnet_core.system import cache_folder, processor

#: The source, and what it is compiled with. Whatever is infinite or no number stays so: a training that diverges is to be seen.
SOURCE = Path(__file__).with_name("batch_norm.cpp")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-mprefer-vector-width=512", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-fPIC")
#: A compiler that takes longer than this is not waited for.
_SECONDS = 120.0

_POINTER, _REAL, _INT, _LONG = ctypes.c_void_p, ctypes.c_float, ctypes.c_int, ctypes.c_int64
_SIZES = [_LONG, _INT, _INT]
_ARGUMENTS = {
    "forward": [*_SIZES, *[_POINTER] * 6, _REAL, _REAL, _INT, *[_POINTER] * 3],
    "backward": [*_SIZES, *[_POINTER] * 8, _INT, *[_POINTER] * 4],
}


@functools.cache
def library() -> ctypes.CDLL | None:
    """Give the compiled functions, ``forward_`` and ``backward_`` with ``float32`` or ``bfloat16``; None where they cannot be had.

    So it is where there is no compiler, another one than gcc or clang, or no folder to keep them in, and with ``RESNET_LAB_KERNELS=off``:
    torch's own functions then do the work.
    """
    if os.environ.get("RESNET_LAB_KERNELS", "").lower() == "off":
        return None
    try:
        found = ctypes.CDLL(str(_compiled()))
        for name, arguments in _ARGUMENTS.items():
            for kind in ("float32", "bfloat16"):
                function = getattr(found, f"{name}_{kind}")
                function.argtypes, function.restype = arguments, None
    except (OSError, subprocess.SubprocessError, AttributeError):
        return None
    return found


def _compiled() -> Path:
    """The library for this source on this machine. Raises OSError, or SubprocessError of the compiler."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        raise FileNotFoundError("there is no C++ compiler")
    made_of = "\n".join((SOURCE.read_text(), *FLAGS, compiler, processor()))
    place = cache_folder() / f"batch-norm-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}.so"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(place) as written:
            objects = written.with_suffix(".o")
            try:
                _run(compiler, *FLAGS, "-c", str(SOURCE), "-o", str(objects))
                # Without -fopenmp: the threads are to be torch's, whose library of them is there when this one is loaded.
                _run(compiler, "-shared", str(objects), "-o", str(written))
            finally:
                objects.unlink(missing_ok=True)
    return place


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS)
