"""First and last rows of the runs that are not being trained, read once for all viewers.

Whoever lists a thousand runs needs four rows of each, and would have to parse some hundred.
"""

from __future__ import annotations

from pathlib import Path

from resnet_core.language import tr
from resnet_core.runs import files
from resnet_core.runs.records import RecordReader
from resnet_core.runs.rows import Ends

RECORDS = "records.jsonl"

_kept = files.Kept(lambda path: RecordReader(path).ends())


def kept_ends(folder: Path) -> Ends:
    """Find the ends of the records in a folder, kept as long as the file is the same. Raises nothing."""
    try:
        return _kept(f"{folder}/{RECORDS}")
    except FileNotFoundError:
        return Ends()
    except OSError as error:
        return Ends(problem=tr("{records} cannot be read: {strerror}.", records=RECORDS, strerror=error.strerror))
