"""From C++ to functions of this process: compiled once for a machine, by the compiler that ``torch.compile`` would call."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import torch  # before the library is loaded: the threads of torch's OpenMP are to be its own

from resnet_core import atomic
from resnet_core.system import cache_folder

#: The sources, and what they are compiled with. Whatever is infinite or no number stays so: a training that diverges is to be seen.
SOURCES = tuple(Path(__file__).with_name(name) for name in ("batch_norm.cpp", "convolution.cpp"))
HEADERS = tuple(Path(__file__).with_name(name) for name in ("amx.h", "layouts.h"))
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-fopenmp", "-fPIC")
#: gcc takes half of an AVX-512 register unless it is told otherwise.
X86_FLAGS = ("-mprefer-vector-width=512",)
#: A compiler that takes longer than this is not waited for.
_SECONDS = 120.0

_POINTER, _REAL, _INT, _LONG = ctypes.c_void_p, ctypes.c_float, ctypes.c_int, ctypes.c_int64
_SIZES, _IMAGES = [_LONG, _INT, _INT], [_LONG, *[_INT] * 5]
_FORWARD, _BACKWARD = [*_SIZES, *[_POINTER] * 7, _REAL, _REAL, _INT, *[_POINTER] * 2], [*_SIZES, *[_POINTER] * 5, _INT, *[_POINTER] * 5]
_ARGUMENTS: dict[str, list[Any]] = {
    **{f"forward_{kind}": _FORWARD for kind in ("float32", "bfloat16")},
    **{f"backward_{kind}": _BACKWARD for kind in ("float32", "bfloat16")},
    "moments_bfloat16": [*_SIZES, *[_POINTER] * 2],
    "moments_gradient_bfloat16": [*_SIZES, *[_POINTER] * 4],
    "factors": [_LONG, _INT, *[_POINTER] * 5, _REAL, _REAL, _POINTER],
    "factors_gradients": [_INT, *[_POINTER] * 5],
}
#: What there is on a processor with AMX alone.
_WITH_AMX: dict[str, list[Any]] = {
    "convolution_forward": [*_IMAGES, *[_POINTER] * 3, _INT, *[_POINTER] * 4],
    "convolution_backward": [*_IMAGES, *[_POINTER] * 7, _INT, *[_POINTER] * 6],
}


def library() -> ctypes.CDLL | None:
    """Give the compiled functions; None where they cannot be had.

    So it is where there is no compiler, another one than gcc, or no folder to keep them in, and with ``RESNET_LAB_KERNELS=off``:
    torch's own functions then do the work. ``why_not`` says which it is.
    """
    return _found()[0]


@functools.cache
def has_amx() -> bool:
    """Tell whether ``library`` has convolutions: where the processor has AMX for bfloat16, and the system lets it be used."""
    found = library()
    return found is not None and hasattr(found, "convolution_ready") and bool(found.convolution_ready())


def call(name: str, *arguments: Any) -> None:
    """Call a function of ``library``; a tensor stands for its memory, None for no memory."""
    getattr(library(), name)(*(one.data_ptr() if isinstance(one, torch.Tensor) else one for one in arguments))


def why_not() -> str:
    """Say why there are no kernels, in a clause; empty where there are."""
    return _found()[1]


@functools.cache
def _found() -> tuple[ctypes.CDLL | None, str]:
    if os.environ.get("RESNET_LAB_KERNELS", "").lower() == "off":
        return None, "switched off by RESNET_LAB_KERNELS"
    try:
        place = _place()
        try:
            return _loaded(_compiled(place)), ""
        except OSError:  # what was kept is damaged, or of another system
            place.unlink(missing_ok=True)
            return _loaded(_compiled(place)), ""
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        return None, f"the compiler says: {said[-1] if said else error}"
    except (OSError, RuntimeError, AttributeError, ValueError, subprocess.SubprocessError) as error:
        return None, str(error)


def _loaded(place: Path) -> ctypes.CDLL:
    found = ctypes.CDLL(str(place))
    for name, arguments in (_ARGUMENTS | (_WITH_AMX if hasattr(found, "convolution_ready") else {})).items():
        function = getattr(found, name)
        function.argtypes, function.restype = arguments, None
    return found


def _compiler() -> list[str]:
    given = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if not given:
        raise FileNotFoundError("there is no C++ compiler (g++)")
    return [*shlex.split(given), *FLAGS, *(X86_FLAGS if platform.machine() in ("x86_64", "AMD64") else ())]


def _place() -> Path:
    """Where the library is kept for these sources, this compiler and the instructions of this processor, whatever its name."""
    target = _run(*_compiler(), "-dM", "-E", "-x", "c++", os.devnull)
    made_of = b"".join(source.read_bytes() for source in (*SOURCES, *HEADERS)) + target + " ".join(_compiler()).encode()
    return cache_folder() / f"kernels-{hashlib.sha256(made_of).hexdigest()[:12]}.so"


def _compiled(place: Path) -> Path:
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(place) as written:
            objects = [written.with_name(f"{written.stem}-{source.stem}.o") for source in SOURCES]
            try:
                for source, made in zip(SOURCES, objects, strict=True):
                    _run(*_compiler(), "-c", str(source), "-o", str(made))
                # Without -fopenmp: the threads are to be torch's, whose library of them is there when this one is loaded.
                _run(*(flag for flag in _compiler() if flag != "-fopenmp"), "-shared", *map(str, objects), "-o", str(written))
            finally:
                for made in objects:
                    made.unlink(missing_ok=True)
    return place


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS).stdout
