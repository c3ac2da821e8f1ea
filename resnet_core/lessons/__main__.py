"""Makes the experiments that lessons show, with the nets that ship, and writes ``records/<key>.json``; see ``recorded``.

For example::

    python -m resnet_core.lessons            # all of them
    python -m resnet_core.lessons lesions
"""

from __future__ import annotations

import datetime
import json
import sys

from resnet_core.config import DataConfig
from resnet_core.errors import UserError
from resnet_core.experiments import find_experiment, run
from resnet_core.lessons import Show, lessons, recorded
from resnet_core.nets import find
from resnet_core.training.device import pick_device
from resnet_core.training.timing import machine_name


def main(keys: list[str]) -> None:
    shows = [show for lesson in lessons("en") for step in lesson.steps for show in step.shows if show.kind == "experiment"]
    for key in dict.fromkeys(show.arguments["key"] for show in shows):
        if keys and key not in keys:
            continue
        experiment, entries = find_experiment(key), []
        asked = [show for show in shows if show.arguments["key"] == key]
        for name, text in dict.fromkeys((name, show.arguments.get("values", "")) for show in asked for name in show.nets):
            net, values = find(name), recorded.given(experiment, Show("experiment", {"values": text}))
            found = run(experiment, net, DataConfig(recorded.DATASET), values, whole=True)
            entries.append(recorded.entry(experiment, net, values, found))
            print(f"{key}: {name}", flush=True)
        about = {"date": str(datetime.date.today()), "machine": machine_name(pick_device("auto"))}
        recorded.FOLDER.mkdir(exist_ok=True)
        text = ",\n".join(json.dumps(each, separators=(",", ":")) for each in entries)
        (recorded.FOLDER / f"{key}.json").write_text(f'{json.dumps(about)[:-1]}, "results": [\n{text}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
