"""On how many test images two nets give different answers.

    python benchmarks/disagreement.py plain-56 resnet-56 [--data sample|cifar10] [--precision fp32]

The same count as on the Predict page under "nets disagree", split into who is right.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nets", nargs=2, metavar="NET", help="the names of shipped nets, or runs")
    parser.add_argument("--data", choices=("sample", "cifar10"), default="sample")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--home", help="the folder of the runs")
    arguments = parser.parse_args()

    from resnet_core import data
    from resnet_core.analysis.prediction import disagreements, predict
    from resnet_core.config import DataConfig
    from resnet_core.nets import find
    from resnet_core.nets.loading import load

    test = data.load(DataConfig(arguments.data), None).test
    loaded = [load(find(name, arguments.home), precision=arguments.precision) for name in arguments.nets]
    answers = [predict(each, test.images) for each in loaded]
    labels = test.labels.numpy()
    differ = disagreements(answers)
    first, second = (answer.argmax(1)[differ] == labels[differ] for answer in answers)
    told = {
        "images": len(labels),
        "errors": [round(100.0 * float((answer.argmax(1) != labels).mean()), 2) for answer in answers],
        "disagree": len(differ),
        f"only {arguments.nets[0]} right": int(first.sum()),
        f"only {arguments.nets[1]} right": int(second.sum()),
        "both wrong, differently": int((~first & ~second).sum()),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
