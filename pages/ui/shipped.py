"""The trained nets that ship with the project, and the viewer's own, as charts and the paper's claims take them."""

from __future__ import annotations

from dataclasses import dataclass

from pages.ui.runs_view import all_seen
from resnet_core.claims import TrainedNet
from resnet_core.figures.series import RunRecords
from resnet_core.lecture.runs import of_net
from resnet_core.nets import shipped_nets
from resnet_core.runs import RunStore


@dataclass(frozen=True)
class Trained:
    """A training that ran to its end, for charts and captions (``records``) and for the claims (``net``)."""

    net: TrainedNet
    records: RunRecords


def shipped(problems: list[str] | None = None) -> list[Trained]:
    """What lies in ``checkpoints/`` with the records of its training, plain and residual by depth.

    Cheap when nothing changed: checksums and rows are kept as long as their files are the same. What is damaged is left out, and
    said in ``problems``.
    """
    found = []
    for net in shipped_nets(problems):
        if net.config is None or net.train_error is None or net.test_error is None:
            continue
        trained = TrainedNet(net.id, net.config, net.train_error, net.test_error, net.records())
        if trained.rows("train"):
            found.append(Trained(trained, of_net(net, layers=False)))
    return found


def own() -> list[Trained]:
    """The viewer's own runs that finished, oldest first, by whatever recipe."""
    found = []
    for seen in all_seen(RunStore().look()):
        result = seen.status.result or {}
        train, test = result.get("train_error"), result.get("test_error")
        if seen.status.state == "finished" and train is not None and test is not None:
            net = TrainedNet(seen.run.id, seen.run.config, train, test, seen.run.records(), shipped=False)
            found.append(Trained(net, seen.records()))
    return found
