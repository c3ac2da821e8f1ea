"""Reading CIFAR-10's python batches without trusting them.

A pickle is a program: unpickling may import anything and call it. Here the few names that a pickled dictionary of lists and
numpy arrays needs stand for plain recorders, every other name is refused, and the arrays are then put together from what
was recorded, once it has the expected shape. Neither numpy's nor anybody's code is run on the file's word.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, cast

import numpy as np

from resnet_core.language import tr

#: What numpy 1 and 2, on Python 2 and 3, pickle arrays and scalars with.
_NUMPY = {
    (f"{core}.{module}", name)
    for core in ("numpy.core", "numpy._core")
    for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
} | {("numpy", "ndarray"), ("numpy", "dtype")}


class _Recorded:
    """The outcome of a call, as arguments; ``state`` is what the pickle wanted to set on it."""

    __slots__ = ("args", "name", "state")

    def __init__(self, name: str, args: tuple):
        self.name, self.args = name, args
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Recorder:
    """Stands for one allowed name. No attribute of it can be set by a pickle."""

    __slots__ = ("_name",)

    def __init__(self, name: str):
        self._name = name

    def __call__(self, *args: Any) -> Any:
        if self._name == "encode":  # how Python 3 writes bytes for Python 2: encode("\xff...", "latin1")
            text, encoding = args
            if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
                raise pickle.UnpicklingError(tr("an unexpected call of _codecs.encode"))
            return text.encode("latin-1")
        return _Recorded(self._name, args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError(tr("a pickle may not set a state here"))


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _NUMPY or (module, name) == ("_codecs", "encode"):
            return _Recorder(name)
        raise pickle.UnpicklingError(tr("it asks for {module}.{name}, which no CIFAR file needs; it was not run", module=module, name=name))


def _name(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _dtype(value: Any) -> np.dtype:
    """A recorded numpy dtype, of whole numbers only. Raises ValueError for anything else."""
    if not isinstance(value, _Recorded) or value.name != "dtype":
        raise ValueError("no dtype where one is due")
    code = _name(value.args[0])
    if code not in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"):
        raise ValueError(f"type {code!r}")
    byte_order = _name(value.state[1]) if value.state else "="
    return np.dtype(code).newbyteorder(cast(Any, byte_order if byte_order in "<>" else "="))  # numpy refuses others


def _array(value: Any) -> np.ndarray:
    """A recorded numpy array or scalar. Raises ValueError, TypeError, ... for anything else."""
    if not isinstance(value, _Recorded):
        raise ValueError("no array where one is due")
    if value.name == "_reconstruct":  # state: version, shape, dtype, whether in Fortran order, bytes
        _, shape, dtype, fortran, content = value.state
        order = "F" if fortran else "C"
    elif value.name == "_frombuffer":  # protocol 5
        content, dtype, shape, order = value.args
    elif value.name == "scalar":
        (dtype, content), shape, order = value.args, (), "C"
    else:
        raise ValueError(f"{value.name} where an array is due")
    return np.frombuffer(content, dtype=_dtype(dtype)).reshape(shape, order=cast(Any, _name(order)))  # numpy refuses what is none


def _labels(value: Any) -> np.ndarray:
    """Labels, pickled as an array or as a list of numbers."""
    if isinstance(value, _Recorded):
        return _array(value)
    return np.array([_array(label) if isinstance(label, _Recorded) else label for label in value])


def read_batch(content: bytes, label: str = "labels") -> tuple[np.ndarray, np.ndarray]:
    """The pixels, uint8 (N, 3072), and labels, int64 (N,), of one pickled batch, of Python 2 or 3; the labels by their name in it.

    Raises:
        ValueError: it is no such pickle, or asks for a name that is not needed; says which.
    """
    try:
        batch = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises nearly anything
        raise ValueError(tr("not a readable pickle: {error}", error=error)) from error
    if not isinstance(batch, dict):
        raise ValueError(tr("the pickle is not a dictionary"))
    fields = {_name(key): value for key, value in batch.items()}
    missing = [key for key in ("data", label) if key not in fields]
    if missing:
        raise ValueError(tr("the pickle has no {missing}", missing=tr(" and no ").join(missing)))
    try:
        pixels, labels = _array(fields["data"]), _labels(fields[label])
    except Exception as error:  # recorded shapes, types and bytes that do not fit each other
        raise ValueError(tr("the pickle's arrays are damaged: {error}", error=error)) from error
    if pixels.dtype != np.uint8 or pixels.ndim != 2:
        raise ValueError(tr("its data are {dtype} {shape}, not uint8 (images, 3072)", dtype=pixels.dtype, shape=pixels.shape))
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(tr("its labels are not a list of whole numbers"))
    return pixels, labels.astype(np.int64)
