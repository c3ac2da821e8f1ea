"""How much a file may ask for, and the limits under which it is read."""

from __future__ import annotations

import contextlib
import resource

MIB = 1 << 20
#: torchvision's VGG-19 with BN, its largest net that can be built here, has 575 MB in float32.
MAX_FILE_BYTES = 640 * MIB
#: All tensors together may have so many values; that VGG-19 has 143.7 million, a WRN-101-2 127 million, a ResNet-152 60 million.
MAX_VALUES = 160_000_000
#: A ResNet-1202 with option C has 10,804 tensors, with BN's counters 13,000.
MAX_TENSORS = 20_000
#: The header of a ResNet-1202's safetensors file has 1 MB, its pickle 2 MB.
MAX_HEADER_BYTES = 8 * MIB
MAX_PICKLE_BYTES = 32 * MIB
MAX_ZIP_ENTRIES = 2 * MAX_TENSORS

#: A VGG-19 with BN as PyTorch saves it (548 MiB) took 15 s and 2.1 GiB, as safetensors 5 s and 0.9 GiB; importing torch took 2 s. Much of
#: all that, for a machine that trains meanwhile.
CPU_SECONDS = 120
GRACE_SECONDS = 5
WALL_SECONDS = 300.0
#: Importing torch 2.14 (its CUDA build) mapped 3.3 GB, of which 0.76 GB were data of the process; its libraries are in the former only.
ADDRESS_SPACE_BYTES = 12 << 30
DATA_BYTES = 3 << 30


def apply() -> None:
    """Limits this process for good. Where the system has no such limit (RLIMIT_DATA on macOS), the others hold."""
    for name, value in (
        ("RLIMIT_AS", ADDRESS_SPACE_BYTES),
        ("RLIMIT_DATA", DATA_BYTES),
        ("RLIMIT_CPU", CPU_SECONDS),
        ("RLIMIT_FSIZE", 4 * MAX_VALUES + MAX_HEADER_BYTES),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NOFILE", 128),
    ):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            # SIGXCPU, which says what it was, comes at the soft limit; at the hard one the process is killed without a word.
            top = value + GRACE_SECONDS if name == "RLIMIT_CPU" and hard == resource.RLIM_INFINITY else value
            resource.setrlimit(kind, (value, top))
