"""A safetensors file read by hand: every number of its header is checked before it is believed. Without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from resnet_core.imports.extras import is_count
from resnet_core.imports.limits import MAX_HEADER_BYTES, MAX_TENSORS, MAX_VALUES
from resnet_core.imports.refusal import ImportRefused, shown
from resnet_core.language import together, tr

#: Bytes of one value, by the format's names; 0 where the format packs them (they are not read here).
_SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
    "C64": 8, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1,
}  # fmt: skip
_FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


class _DuplicateKey(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateKey(key)
        found[key] = value
    return found


def read_header(file: BinaryIO) -> tuple[dict[str, dict[str, Any]], dict[str, str], int]:
    """Read of an open safetensors file its entries by key, its metadata, and where its data begin.

    Raises:
        ImportRefused: the header does not describe the file.
    """
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if length > size - 8:
        raise ImportRefused(
            "Its safetensors header is said to have {length:,} bytes, but the file has {size:,}: truncated or damaged.",
            length=length,
            size=size,
        )
    if length > MAX_HEADER_BYTES:
        raise ImportRefused(
            "Its safetensors header has {length:,} bytes; at most {max_header_bytes:,} are read.",
            length=length,
            max_header_bytes=MAX_HEADER_BYTES,
        )
    try:
        header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_pairs)
    except _DuplicateKey as error:
        raise ImportRefused("Its safetensors header names {error} twice.", error=shown(str(error))) from error
    except (ValueError, RecursionError) as error:
        raise ImportRefused("Its safetensors header is not valid JSON ({error}).", error=str(error)[:80]) from error
    if not isinstance(header, dict):
        raise ImportRefused("Its safetensors header is not a JSON object.")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ImportRefused("The __metadata__ of its safetensors header are not texts by name.")
    if not header:
        raise ImportRefused("It is a safetensors file without tensors.")
    if len(header) > MAX_TENSORS:
        raise ImportRefused("It has {headers:,} tensors; at most {max_tensors:,} are read.", headers=len(header), max_tensors=MAX_TENSORS)
    for key, entry in header.items():
        _check_entry(key, entry)
    _check_places(header, size - 8 - length)
    return header, metadata, 8 + length


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)


def _check_entry(key: str, entry: Any) -> None:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ImportRefused("The header's entry for {key} does not consist of dtype, shape and data_offsets.", key=shown(key))
    if not isinstance(entry["dtype"], str) or entry["dtype"] not in _SIZES:
        raise ImportRefused("Tensor {key} is of type {dtype}, which is not known here.", key=shown(key), dtype=shown(entry["dtype"], 30))
    if not _whole(entry["shape"]) or len(entry["shape"]) > 8:
        raise ImportRefused("Tensor {key} has the shape {shape}, which is none.", key=shown(key), shape=shown(entry["shape"], 40))
    if not _whole(entry["data_offsets"]) or len(entry["data_offsets"]) != 2:
        raise ImportRefused(
            "Tensor {key} has the data_offsets {data_offsets}, not a beginning and an end.",
            key=shown(key),
            data_offsets=shown(entry["data_offsets"], 40),
        )
    values = 1
    for side in entry["shape"]:
        values *= side
        if values > MAX_VALUES:
            raise ImportRefused(
                "Tensor {key} is oversized: {shape}, where a net has at most {max_values:,} values.",
                key=shown(key),
                shape=shown(entry["shape"], 40),
                max_values=MAX_VALUES,
            )
    begin, end = entry["data_offsets"]
    due = values * _SIZES[entry["dtype"]]
    if end - begin != due:
        raise ImportRefused(
            "Tensor {key} has {end:,} bytes in the file, but its shape and type need {due:,}.", key=shown(key), end=end - begin, due=due
        )


def _check_places(header: dict[str, dict[str, Any]], available: int) -> None:
    """All tensors lie in the file one after the other, as the format asks."""
    at, before = 0, None
    for key, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        if end > available:
            raise ImportRefused(
                "Tensor {key} ends {end:,} bytes after the end of the file: truncated or damaged.", key=shown(key), end=end - available
            )
        if begin < at:
            raise ImportRefused("Tensors {before} and {key} overlap in the file.", before=shown(before), key=shown(key))
        if begin > at:
            raise ImportRefused("There is a gap of {begin:,} bytes in the file before tensor {key}.", begin=begin - at, key=shown(key))
        at, before = end, key
    if at != available:
        raise ImportRefused("{available:,} bytes at the end of the file belong to no tensor.", available=available - at)


def read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """The arrays (float32; BN's counters int64) by key, the file's metadata, and notes on what was converted.

    Raises:
        ImportRefused: the file is damaged, or a tensor is not one of a net's; names it.
    """
    import numpy as np

    arrays: dict[str, Any] = {}
    converted: set[str] = set()
    with open(path, "rb") as file:
        header, metadata, start = read_header(file)
        check_total(sum(int(np.prod(entry["shape"], dtype=object)) for entry in header.values()))
        for key, entry in header.items():
            dtype, shape = entry["dtype"], tuple(entry["shape"])
            counter = is_count(key) and dtype == "I64" and shape in ((), (1,))
            if dtype == "C64":
                raise ImportRefused("Tensor {key} is complex; a net's are real floating point numbers.", key=shown(key))
            if dtype not in _FLOATS and not counter:
                raise ImportRefused(
                    "Tensor {key} is of type {dtype}; a net's are floating point numbers (F32, F16, BF16 or F64).",
                    key=shown(key),
                    dtype=dtype,
                )
            file.seek(start + entry["data_offsets"][0])
            content = file.read(entry["data_offsets"][1] - entry["data_offsets"][0])
            if counter:
                arrays[key] = np.frombuffer(content, "<i8").reshape(shape)
                continue
            if dtype == "BF16":  # the upper half of a float32
                array = (np.frombuffer(content, "<u2").astype("<u4") << 16).view("<f4")
            else:
                array = np.frombuffer(content, {"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype])
            if dtype != "F32" and not is_count(key):
                converted.add(_FLOATS[dtype])
            arrays[key] = to_float32(key, array.reshape(shape))
    return arrays, metadata, conversion_notes(converted)


def check_total(values: int) -> None:
    if values > MAX_VALUES:
        raise ImportRefused(
            "Its tensors are oversized: {values:,} values together, where a net has at most {max_values:,}.",
            values=values,
            max_values=MAX_VALUES,
        )


def to_float32(key: str, array: Any) -> Any:
    """A contiguous float32 copy; refuses what is not finite, before or after."""
    import numpy as np

    with np.errstate(over="ignore"):
        array = np.array(array, dtype=np.float32, order="C")  # ascontiguousarray would make a 0-d array 1-d
    wrong = array.size - int(np.isfinite(array).sum())
    if wrong:
        raise ImportRefused(
            "Tensor {key} has {wrong:,} values that are not finite (NaN or infinite); no net computes with them.",
            key=shown(key),
            wrong=wrong,
        )
    return array


def conversion_notes(converted: set[str]) -> list[str]:
    return [tr("The weights were {converted}; they were converted to float32.", converted=together(sorted(converted)))] if converted else []
