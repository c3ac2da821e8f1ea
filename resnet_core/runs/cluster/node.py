"""What runs on the nodes of a cluster: actors, which need neither the head's files nor this project installed."""

from __future__ import annotations

import collections
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resnet_core.config import DataConfig, RunConfig

#: Data sets of which the shelf keeps the references; the oldest goes, and Ray with it, once nobody trains on it.
MOST_SHELVED = 4


class Trainee:
    """Trains on the node that Ray has put it on. ``train`` has one thread, the other methods the second one."""

    def __init__(self) -> None:
        self._stop = False

    def ready(self) -> None:
        """Say that the node is there, once what takes long to import has been imported."""
        import resnet_core.training.engine  # noqa: F401

    def pulse(self) -> float:
        """Give the processor time of this process, in seconds: it grows as long as something is computed."""
        return time.process_time()

    def stop(self) -> None:
        """Have the training end at a checkpoint."""
        self._stop = True

    def train(self, name: str, contents: dict[str, bytes], arrays: dict[str, Any] | None) -> Iterator[tuple[Any, ...]]:
        """Train a run.

        Args:
            name: of the run's folder.
            contents: path inside that folder -> what is in the file; only what a training reads.
            arrays: of ``data.dataset.to_arrays``, from the object store; None where the set is embedded in the code.

        Yields:
            First what is known of it, an ``executor.Begun``; then a pair for each record: the record, and where it is a ``checkpoint``
            the values of its state and the contents of its files.
        """
        from resnet_core import data
        from resnet_core.data.dataset import from_arrays
        from resnet_core.runs.local import LocalTraining
        from resnet_core.runs.run import Run
        from resnet_core.training import saved

        self._stop = False
        with tempfile.TemporaryDirectory(prefix="resnet-lab-") as place:
            folder = Path(place) / name
            for path, content in contents.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
            run = Run(folder)
            config: RunConfig = run.config
            dataset = data.load(config.data) if arrays is None else from_arrays(config.data, arrays)
            training = LocalTraining(run, dataset)
            yield (training.begun,)
            for record in training.records(lambda: self._stop):
                if record["kind"] != "checkpoint":
                    yield record, None
                    continue
                kept = training.save(folder / "sent", {})
                files = {part: (kept / part).read_bytes() for part in (saved.MODEL, saved.TRAINING)}
                yield record, (saved.read_state(kept)["values"], files)


class Shelf:
    """Reads data sets on the head, whose disk they lie on, and puts each into the object store, from where it goes to a node once."""

    def __init__(self) -> None:
        self._kept: collections.OrderedDict[tuple[DataConfig, str | None], Any] = collections.OrderedDict()

    def get(self, config: DataConfig, data_dir: str | None) -> list[Any]:
        """Give the reference to the arrays of a data set, in a list, so that they themselves stay where they are. Raises DataError."""
        import ray

        from resnet_core import data
        from resnet_core.data.dataset import to_arrays

        key = config, data_dir
        if key not in self._kept:
            self._kept[key] = ray.put(to_arrays(data.load(config, data_dir)))
            while len(self._kept) > MOST_SHELVED:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return [self._kept[key]]
