"""A net to take away: its weights as one file that rebuilds it anywhere, its records, its card, and all of it as a zip.

For example::

    export.weights(find("resnet-56"))  # imports torch for a run; `import` reads what it gives again, on any machine
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from resnet_core import architectures
from resnet_core.errors import CheckpointError, RunError
from resnet_core.nets import folder as folders
from resnet_core.nets import hub_card
from resnet_core.nets.catalog import Net
from resnet_core.nets.normalization import NORMALIZATIONS
from resnet_core.runs import looking
from resnet_core.runs.files import Kept
from resnet_core.runs.run import BrokenRun

#: ``normalization`` of a net whose mean image is that of its own training images.
OWN = "own"
#: Tensors of a batch normalisation that no gradient changes.
_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def weights(net: Net) -> bytes:
    """One safetensors file: the ``state_dict``, what its input is normalised with, the net's configuration, the names of its classes.

    A checkpoint's file is that already and is given as it is, with its checksum; a run's is made from its newest checkpoint.

    Raises:
        CheckpointError: the weights cannot be read.
    """
    return _content(net)[0]


def _content(net: Net) -> tuple[bytes, int | None]:
    """The weights file, and the iteration of the checkpoint it was made from where that is a run's."""
    try:
        return _of_run(net) if net.origin == "run" else (net.weights.read_bytes(), None)
    except OSError as error:
        raise CheckpointError("The weights of {name} cannot be read ({error}).", name=net.name, error=error) from error


def _of_run(net: Net) -> tuple[bytes, int | None]:
    import numpy as np

    from resnet_core.nets.loading import read_weights

    weights = read_weights(net)
    known, _ = NORMALIZATIONS["pixel-mean"].arrays()
    key = "pixel-mean" if weights.std is None and np.array_equal(weights.mean.numpy(), known) else OWN
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as place:
        path = Path(place) / folders.WEIGHTS
        data = net.training.data
        folders.save_weights(path, weights.tensors, weights.mean, weights.std, net.model, key, data.class_names, data.dataset)
        return path.read_bytes(), weights.net.iteration


def records(net: Net) -> bytes:
    """All rows of its training as JSON Lines; empty where there are none."""
    rows = net.records()
    return "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()


def card(net: Net, iteration: int | None = None) -> dict[str, Any]:
    """What is known of the net, under the keys of a checkpoint's ``card.json``; of a run, what its folder tells, without a checksum.

    Args:
        iteration: of the weights that the card goes with. Of a run that is not finished the errors are then those recorded at that very
            iteration, if there are any; without it, the newest.

    Raises:
        RunError: the run is gone.
    """
    if net.origin != "run":
        return dict(net.card)
    try:
        run, status = looking.one(net.path)
    except BrokenRun as error:
        raise RunError("Run {id} cannot be read: {error}.", id=net.id, error=error) from error
    config, plan, result = run.config, status.plan or {}, status.result or {}
    machine = (plan.get("reason") or {}).get("machine")
    errors = {"train_error": net.train_error, "test_error": net.test_error}
    if status.state != "finished" and iteration is not None:
        for kind in ("train", "test"):
            row: dict[str, Any] = next((row for row in reversed(net.records(kind)) if row["iteration"] == iteration), {})
            errors[f"{kind}_error"] = row.get(f"{kind}_error")
    return {
        "name": net.name,
        "run": run.id,
        "state": status.state,
        "model": architectures.to_dict(config.model),
        "config": config.to_dict(),
        "data": config.data.label,
        "dataset": config.data.dataset,
        "classes": list(config.data.class_names),
        "schedule_fraction": config.recipe.schedule_fraction,
        "iterations": net.iteration if iteration is None else iteration,
        "batch_size": config.recipe.batch_size,
        "seed": config.recipe.seed,
        "precision": plan.get("precision"),
        "machine": machine,
        "machines": run.machines or ([machine] if machine else []),
        "commit": run.versions.get("commit"),
        "commits": run.commits,
        "versions": run.versions,
        "training_seconds": result.get("elapsed_seconds", (status.last_train or {}).get("elapsed_seconds")),
        "images_per_second": result.get("images_per_second", status.images_per_second),
        **errors,
        "params": parameters(net.weights),
        "created": status.ended or run.created,
    }


def archive(net: Net) -> bytes:
    """A zip of weights.safetensors, card.json, README.md with the Hub's header and, of a net trained here, config.json and records.jsonl.

    Unpacked, it is a checkpoint's folder again.

    Raises:
        CheckpointError: the weights cannot be read.
        RunError: the run is gone.
    """
    content, iteration = _content(net)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    told = card(net, iteration) | {
        "normalization": header["__metadata__"]["normalization"],
        "checksum_sha256": hashlib.sha256(content).hexdigest(),
        "weights_bytes": len(content),
    }
    files: dict[str, bytes] = {folders.WEIGHTS: content, folders.CARD: _json(told)}
    if net.config is not None:
        files[folders.CONFIG] = _json(net.config.to_dict())
    if rows := records(net):
        files[folders.RECORDS] = rows
    kept = net.path / folders.README if net.origin in ("shipped", "imported") else None
    body = kept.read_text(encoding="utf-8") if kept and kept.is_file() else ""
    known = {"name": net.name, "model": architectures.to_dict(net.model), **told}
    # The licence of what somebody has trained or brought is theirs to choose.
    licence = "mit" if net.origin == "shipped" else None
    files[folders.README] = hub_card.readme(known, net.class_names, licence, body).encode()
    return zipped({f"{file_stem(net)}/{name}": data for name, data in files.items()})


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of files by their paths in it."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return held.getvalue()


def parameters(path: Path) -> int:
    """Trained parameters in a weights file, counted from its header: all its tensors but the statistics of the batch normalisations.

    Raises:
        CheckpointError: it is no safetensors file.
    """
    return _parameters(str(path))


def _count(path: Path) -> int:
    return sum(
        math.prod(entry["shape"])
        for name, entry in folders.read_header(path).items()
        if not name.startswith(("__", "normalization.")) and name.rpartition(".")[2] not in _BUFFERS
    )


#: A header is read once, as long as the file is the same.
_parameters = Kept(_count)


def file_stem(net: Net) -> str:
    """The beginning of the names of its files: its id; of a file, its name."""
    return net.path.stem if net.origin == "file" else net.id


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
