"""Writes ``<name>_records.json``, the curves that pages show before anything was trained, from trainings that are through.

For example::

    python -m resnet_core demo --home runs
    python -m resnet_core.reference demo runs
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

from resnet_core.config import demo_configs, join_configs
from resnet_core.errors import UserError
from resnet_core.runs import RunStore

CONFIGS = {"demo": demo_configs, "joins": join_configs}


def main(name: str, home: str) -> None:
    target = Path(__file__).with_name(f"{name}_records.json")
    store = RunStore(home)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=target.parent, capture_output=True, text=True, check=True).stdout.strip()
    entries = []
    for config in CONFIGS[name](seed=0):
        asked = (dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, precision=p)) for p in ("auto", "bf16", "fp32"))
        run = next(filter(None, map(store.find, asked)), None)
        if run is None or run.state().state != "finished":
            sys.exit(f"{config.model.name} has not been trained in {home}; train it first.")
        status = run.state()
        entries.append(
            {
                "config": run.config.to_dict(),
                "records": [row for row in run.records() if row["kind"] in ("train", "test")],
                "plan": status.plan,
                "result": status.result,
                "versions": run.versions,
                "machine": (status.plan or {}).get("reason", {}).get("machine", "unknown"),
                "commit": commit,
                "date": run.created,
            }
        )
    target.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in entries) + "\n]\n", encoding="utf-8")
    print(f"{target}: {len(entries)} runs")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in CONFIGS:
        sys.exit(f"usage: python -m resnet_core.reference {{{','.join(CONFIGS)}}} HOME")
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(str(error))
