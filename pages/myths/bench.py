"""The trainings that myths are judged by: those that ship, and those of this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pages.ui.permitted import admit
from pages.ui.recorded import recorded
from pages.ui.runs_view import AllSeen, Seen, going_on
from resnet_core.claims import myths
from resnet_core.claims.myths import Myth, Trained
from resnet_core.figures.series import RunRecords
from resnet_core.language import tr_n
from resnet_core.nets import find as find_net
from resnet_core.nets import growth
from resnet_core.runs import RunStore


@dataclass(frozen=True)
class Shown:
    """One curve: what it stands for, its records, and the statistics of its layers before the first iteration, if it has them."""

    label: str
    records: RunRecords
    layers: Mapping | None


@dataclass(frozen=True)
class Found:
    """All that is known.

    Attributes:
        trained: label -> seed -> training that came to its end.
        records: id of a training -> its curve.
        active: (label, seed) of what is trained or waits here.
        seen: all runs of this machine.
    """

    trained: Mapping[str, Mapping[int, Trained]]
    records: Mapping[str, RunRecords]
    active: frozenset[tuple[str, int]]
    seen: Sequence[Seen]

    def shown(self, myth: Myth) -> list[Shown]:
        """The curves of a myth, of the first seed of each training."""
        found = []
        for label in myth.curves:
            for one in list(self.trained.get(label, {}).values())[:1]:
                layers = next((row for row in one.records if row["kind"] == "layers" and row["iteration"] == 0), None)
                found.append(Shown(label, self.records[one.id], layers))
        return found

    def seeds(self, myth: Myth) -> str:
        """Which seeds the verdict is of."""
        common = sorted(set.intersection(*(set(self.trained.get(label, {})) for label in myth.needs)))
        if not common:
            return ""
        seeds = ", ".join(map(str, common))
        return tr_n(len(common), "Judged by seed {seeds}.", "Judged by {number} seeds: {seeds}.", seeds=seeds)

    def next_seed(self, myth: Myth) -> int:
        """The first seed that some training of the myth is missing with."""
        seed = 0
        while all(seed in self.trained.get(label, {}) for label in myth.needs):
            seed += 1
        return seed


def find(seen: Sequence[Seen]) -> Found:
    """What ships, and what of this machine has come to its end or is on its way there; a run of one's own does not replace what ships."""
    trained, records, active = [], {}, set()
    for run in recorded("myths").runs:
        result = run.result or {}
        trained.append(Trained(run.run_id, run.config, result["clean_train_error"], result["test_error"], run.records))
        records[run.run_id] = run
    nets = {training.net for training in myths.TRAININGS.values()}
    for s in seen.of_nets(nets) if isinstance(seen, AllSeen) else seen:
        label = myths.label_of(s.config)
        if label is None:
            continue
        if s.is_active:
            active.add((label, s.config.recipe.seed))
        result = s.status.result or {}
        clean, test = result.get("clean_train_error"), result.get("test_error")
        if s.state == "finished" and clean is not None and test is not None:
            trained.append(Trained(s.id, s.config, clean, test, s.run.records()))
            records[s.id] = s.records()
    return Found(myths.sorted_out(trained), records, frozenset(active), seen)


def train(store: RunStore, labels: Sequence[str], seed: int) -> list[str]:
    """Queue trainings, those first that others are grown from. Returns what cannot be grown yet.

    Raises:
        UserError: as ``RunStore.submit``.
    """
    parents = {myths.TRAININGS[label].grown_from for label in labels} - {""}
    plain = [label for label in dict.fromkeys([*sorted(parents), *labels]) if not myths.TRAININGS[label].grown_from]
    admit([myths.TRAININGS[label].config(seed) for label in plain])
    here = {label: going_on(store, *store.submit(myths.TRAININGS[label].config(seed))) for label in plain}
    left = []
    for label in labels:
        training = myths.TRAININGS[label]
        if not training.grown_from:
            continue
        parent = here[training.grown_from]
        if parent.state().state != "finished":
            left.append(label)
            continue
        net = find_net(parent.id, store.home)
        going_on(store, *growth.grow(store, net, growth.planned(net, myths.ROUNDS)))
    return left
