"""Writes ``demo_records.json``, the curves that Home shows before anything was trained, from a finished demo.

For example::

    python -m resnet_core demo --home runs
    python -m resnet_core.reference runs
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from resnet_core.config import demo_configs
from resnet_core.errors import UserError
from resnet_core.runs import RunStore

TARGET = Path(__file__).with_name("demo_records.json")


def main(home: str) -> None:
    store = RunStore(home)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=TARGET.parent, capture_output=True, text=True, check=True).stdout.strip()
    entries = []
    for config in demo_configs(seed=0):
        run = store.find(config)
        if run is None or run.state().state != "finished":
            sys.exit(f"{config.model.name} has not been trained in {home}; run the demo first.")
        status = run.state()
        entries.append(
            {
                "config": config.to_dict(),
                "records": [row for row in run.records() if row["kind"] in ("train", "test")],
                "plan": status.plan,
                "result": status.result,
                "versions": run.versions,
                "machine": (status.plan or {}).get("reason", {}).get("machine", "unknown"),
                "commit": commit,
                "date": run.created,
            }
        )
    TARGET.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n", encoding="utf-8")
    print(f"{TARGET}: {len(entries)} runs")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m resnet_core.reference HOME")
    try:
        main(sys.argv[1])
    except UserError as error:
        sys.exit(str(error))
