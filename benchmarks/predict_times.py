"""How long a prediction takes: four nets on one image, the nets loaded; and what loading and the feature index take.

    python benchmarks/predict_times.py plain-20 resnet-20 plain-56 resnet-56 [--trials 30] [--index sample]

The image is a JPEG of a telephone's size, so that reading it is counted too. Wall-clock seconds; take them on a quiet machine.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

SHIPPED = ["plain-20", "resnet-20", "plain-56", "resnet-56"]


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def photograph() -> bytes:
    """A JPEG of 4,000 x 3,000 pixels: a test image, enlarged."""
    from PIL import Image

    from resnet_core.data import sample

    out = io.BytesIO()
    Image.fromarray(sample.read("test")[0][0]).resize((4000, 3000), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def spread(seconds: list[float]) -> dict[str, float]:
    return {"first": round(seconds[0], 4), "median": round(statistics.median(seconds), 4), "max": round(max(seconds), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs="*", default=SHIPPED, help=f"(default: {' '.join(SHIPPED)})")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--index", choices=("sample", "cifar10"), help="also build the feature index of the last net, and search it")
    arguments = parser.parse_args()

    importing, _ = timed(lambda: __import__("torch"))
    import torch

    from resnet_core.analysis import neighbours
    from resnet_core.analysis.prediction import predict, stack
    from resnet_core.config import DataConfig
    from resnet_core.data import load as load_data
    from resnet_core.images import read_image, to_input
    from resnet_core.nets import find
    from resnet_core.nets.loading import load

    found = [find(name) for name in arguments.nets]
    load(found[0], precision=arguments.precision)  # the probe's answer is kept for the machine, and is not counted
    loading = [timed(lambda net=net: load(net, precision=arguments.precision)) for net in found]
    nets = [net for _, net in loading]
    content = photograph()
    told: dict[str, Any] = {
        "nets": [net.net.name for net in nets],
        "precision": nets[0].plan.precision,
        "threads": torch.get_num_threads(),
        "import_torch": round(importing, 2),
        "load_one_net": {net.net.name: round(seconds, 4) for seconds, net in loading},
    }
    reads = [timed(lambda: stack([to_input(read_image(content, "photo.jpg"))])) for _ in range(3)]
    told["read_12_megapixels"] = spread([seconds for seconds, _ in reads])
    image = reads[0][1]
    for crops, key in ((1, "single"), (10, "padded-crops")):
        seconds = [timed(lambda key=key: [predict(net, image, key) for net in nets])[0] for _ in range(arguments.trials)]
        told[f"predict_{len(nets)}_nets_{crops}_crops"] = spread(seconds)
    if arguments.index:
        data = load_data(DataConfig(arguments.index))
        with tempfile.TemporaryDirectory() as home:
            building, index = timed(lambda: neighbours.cached_index(nets[-1], data.train.images, arguments.index, Path(home)))
            opening, _ = timed(lambda: neighbours.cached_index(nets[-1], data.train.images, arguments.index, Path(home)))
        asking = [timed(lambda: index.nearest(neighbours.features(nets[-1], image)[0]))[0] for _ in range(arguments.trials)]
        told["neighbours"] = {"net": nets[-1].net.name, "images": len(data.train), "build": round(building, 2), "open": round(opening, 3)}
        told["neighbours"]["nearest"] = spread(asking)
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
