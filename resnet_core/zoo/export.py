"""A finished training becomes a checkpoint that ships: weights, configuration, records, and a model card that says how it came about."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resnet_core import data
from resnet_core.architectures import FAMILIES
from resnet_core.architectures.table import complexity
from resnet_core.config import PAPER_ITERATIONS, DataConfig, RunConfig
from resnet_core.errors import RunError
from resnet_core.nets import Net, find
from resnet_core.nets import folder as folders
from resnet_core.nets.export import card
from resnet_core.nets.loading import LoadedNet, load
from resnet_core.runs import Run
from resnet_core.training.checkpoint import weights_sha256
from resnet_core.training.evaluate import evaluate

#: GitHub refuses files over 100 MB, and every clone carries what ships; 110 layers take 7 MB.
MOST_BYTES = 8_000_000


def export(run: Run, folder: Path, data_dir: Path | str | None = None, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Writes ``folder`` from a finished run, with its error measured anew, and returns the card.

    Args:
        data_dir: where the data set of the run lies now.
        say: called with what is being done.

    Raises:
        RunError: the run is not finished, its weights are too large to ship, or are not those that its training ended with.
    """
    status = run.state()
    if status.state != "finished" or not status.result:
        raise RunError(f"Run {run.id} is {status.state}; only a finished one can be shipped.")
    net = find(str(run.id), run.path.parent)
    loaded = load(net, precision="fp32")
    tensors = {name: tensor.cpu() for name, tensor in loaded.model.state_dict().items()}
    if weights_sha256(tensors) != status.result["weights_sha256"]:
        raise RunError(f"The weights of run {run.id} are not those that its training ended with; its checkpoint was replaced or damaged.")
    size = sum(tensor.nbytes for tensor in tensors.values())
    if size > MOST_BYTES:
        raise RunError(f"The weights of run {run.id} have {size:,} bytes; at most {MOST_BYTES:,} can be shipped.")
    told = _card(run, net, _evaluations(run, data_dir, say))
    texts: dict[str, str | bytes] = {
        folders.CONFIG: _json(run.config.to_dict()),
        folders.RECORDS: (run.path / "records.jsonl").read_bytes(),
        folders.README: readme(told),
    }
    folders.write_folder(folder, tensors, loaded.mean.cpu(), None, told, texts)
    return folders.read_folder(folder)


def _evaluations(run: Run, data_dir: Path | str | None, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Test errors measured now, each with the data and the precision it was measured in."""
    precision = (run.state().plan or {}).get("precision", "fp32")
    wanted = [(run.config.data.dataset, precision), (run.config.data.dataset, "fp32"), ("sample", "fp32")]
    found = []
    for dataset, how in dict.fromkeys(wanted):
        say(f"{run.name}: test error on {dataset} in {how}")
        loaded = load(find(str(run.id), run.path.parent), precision=how)
        found.append({"data": dataset, "split": "test", "precision": how, **measure(loaded, dataset, data_dir)})
    return found


def measure(loaded: LoadedNet, dataset: str, data_dir: Path | str | None = None) -> dict[str, Any]:
    """``n``, ``wrong`` and ``top1_error`` (percent) on the test images of ``sample`` or ``cifar10``."""
    test = data.load(DataConfig(dataset), data_dir).test
    error, _ = evaluate(loaded.model, test.images, test.labels, loaded.mean, loaded.plan)
    return {"n": len(test), "wrong": round(error * len(test) / 100), "top1_error": error}


def _card(run: Run, net: Net, evaluations: list[dict[str, Any]]) -> dict[str, Any]:
    status, counted = run.state(), complexity(run.config.model)
    known = {key: value for key, value in card(net).items() if key not in ("run", "state")}
    return known | {
        "name": run.config.model.name,
        "normalization": "pixel-mean",
        "threads": (status.plan or {}).get("threads"),
        "training_weights_sha256": (status.result or {})["weights_sha256"],
        "evaluations": evaluations,
        "params": counted.params,
        "macs": counted.macs,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _json(value: Any) -> str:
    import json

    return json.dumps(value, indent=1) + "\n"


def readme(card: dict[str, Any]) -> str:
    """The model card for people, in Markdown."""
    config, recipe = card["config"], card["config"]["recipe"]
    milestones = ", ".join(f"{round(m * recipe['iterations']):,}" for m in recipe["milestones"])
    warmup = (
        f" It starts at {recipe['warmup_learning_rate']:g} until the training error is below {recipe['warmup_error']:g} %."
        if recipe["warmup"] == "error"
        else ""
    )
    minutes = (card["training_seconds"] or 0) / 60
    measured = "\n".join(
        f"| {each['data']} | {each['precision']} | {each['wrong']:,} of {each['n']:,} | {each['top1_error']:.2f} % |"
        for each in card["evaluations"]
    )
    model = RunConfig.from_dict(config).model
    paper = 'section 4.2 of He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (CVPR 2016)'
    initial = "the classifier from U(-1, 1) / sqrt(its inputs), as in fb.resnet.torch"
    if re.fullmatch(r"(plain|ResNet)-\d+(-[BC])?", model.name):
        kind = f"A net of {paper}"
        shortcut = "none: a plain net" if config["model"]["shortcut"] == "none" else f"option {config['model']['shortcut']}"
        what = f"depth, shortcut | {model.depth}, {shortcut}"
        initial = (
            "the classifier from U(-1, 1) / sqrt(64), as in fb.resnet.torch: by the convolutions' rule the first loss of ResNet-56 would "
            "be 5.9 instead of 3.3"
        )
    else:
        kind = f"One of the {FAMILIES[model.family].title}, by the recipe of {paper}"
        what = f"weighted layers | {model.depth}"
    return f"""# {card["name"]}

{kind}, trained with this project's
own command line. `weights.safetensors` holds the weights and the mean image its input is normalised with, `records.jsonl`
the whole training, `card.json` what stands here, for programs.

| | |
|:--|:--|
| {what} |
| parameters, MACs | {card["params"]:,}, {card["macs"]:,} |
| **training error** | **{card["train_error"]:.2f} %** (mean over the last epoch, of the augmented images as they were trained on; the \
paper does not say how it measured) |
| **test error** | **{card["test_error"]:.2f} %** (10,000 images, single view, as its training measured it at the end) |
| schedule | **{card["schedule_fraction"]:g} of the paper's**: {card["iterations"]:,} of {PAPER_ITERATIONS:,} iterations |
| data | {card["data"]}, no validation split |
| recipe | SGD, batch {card["batch_size"]}, momentum {recipe["momentum"]:g}, weight decay {recipe["weight_decay"]:g}, learning rate \
{recipe["learning_rate"]:g}, multiplied by {recipe["gamma"]:g} at iterations {milestones}.{warmup} |
| initialisation | He et al. 2015 for the convolutions; {initial} |
| batch statistics | of all {card["batch_size"]} images (the paper trained on two GPUs: of 64 on each, if its BN was not synchronised) |
| augmentation | 4 pixels of zero padding, random 32x32 crop, random horizontal flip |
| input | pixel / 255, per-pixel mean of the training images subtracted |
| precision | {card["precision"]} (convolutions; weights and updates in fp32) |
| seed | {card["seed"]} |
| machine | {"; ".join(card["machines"])}; {card["threads"]} thread(s) |
| training time | {minutes:.0f} min, {card["images_per_second"]:,.0f} images per second |
| commit | {", then ".join(card.get("commits") or [str(card["commit"])])} |
| versions | {", ".join(f"{name} {version}" for name, version in card["versions"].items() if name != "commit")} |

Test error measured anew from these weights when they were exported:

| images | precision | wrong | error |
|:--|:--|--:|--:|
{measured}
"""
