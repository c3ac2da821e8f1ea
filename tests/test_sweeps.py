"""A sweep as one object: which trainings, how far, mean and spread, what failed; and its commands."""

from __future__ import annotations

import json
import statistics

import pytest

from resnet_core import sweeps
from resnet_core.architectures import parse
from resnet_core.cli.sweeping import seeds
from resnet_core.config import DataConfig, Recipe
from resnet_core.errors import ConfigError, RunError
from resnet_core.runs import RunStore
from tests.runs_tools import put

NETS = [parse("plain-8"), parse("ResNet-8")]
RECIPE = Recipe(iterations=100)


def begun(store: RunStore, seeds=range(3)) -> sweeps.Sweep:
    return sweeps.begin(store, sweeps.grid(NETS, DataConfig(), RECIPE, seeds), "Depth 8")


def end(store: RunStore, run: str, test: float | None = None, state: str = "finished", **changes) -> None:
    result = {} if test is None else {"result": {"test_error": test, "clean_train_error": test / 2}}
    put(store, store.get(run), state=state, iteration=100, **result, **changes)


def test_a_grid_has_every_net_with_every_seed_once():
    made = sweeps.grid([*NETS, NETS[0]], DataConfig(), RECIPE, [0, 3])
    assert [(c.model.name, c.recipe.seed) for c in made] == [("plain-8", 0), ("ResNet-8", 0), ("plain-8", 3), ("ResNet-8", 3)]
    with pytest.raises(ConfigError, match="0 trainings; a sweep has 1 to 1,000"):
        sweeps.grid([], DataConfig(), RECIPE, [0])
    with pytest.raises(ConfigError, match="1,001 trainings"):
        sweeps.grid(NETS[:1], DataConfig(), RECIPE, range(1001))


def test_mean_and_spread_come_in_and_what_failed_is_told(store):
    sweep = begun(store)
    plain, residual = sweep.runs[::2], sweep.runs[1::2]
    found = sweeps.progress(sweep, store.look())
    assert (found.states, found.done, found.is_active, found.failed, found.missing) == ({"queued": 6}, 0.0, True, [], 0)
    assert [(g.config.model.name, g.seeds, g.test.mean, g.test.deviation) for g in found.groups] == [
        ("plain-8", 3, None, None),
        ("ResNet-8", 3, None, None),
    ]
    end(store, plain[0], 60.0)
    found = sweeps.progress(sweep, store.look())
    assert (found.groups[0].test.mean, found.groups[0].test.deviation, found.done) == (60.0, None, pytest.approx(1 / 6))
    end(store, plain[1], 64.0)
    end(store, residual[0], 50.0)
    end(store, residual[1], state="diverged", message="The loss was no number.")
    end(store, residual[2], state="failed", message="Out of memory.")
    store.delete(plain[2])
    found = sweeps.progress(sweep, store.look())
    assert found.states == {"finished": 3, "diverged": 1, "failed": 1} and not found.is_active and found.missing == 1
    assert found.done == 1.0
    assert found.groups[0].test.values == {0: 60.0, 1: 64.0} and found.groups[0].test.mean == 62.0
    assert found.groups[0].test.deviation == statistics.stdev([60.0, 64.0]) and found.groups[0].train.mean == 31.0
    assert [(run.id, why) for run, why in found.failed] == [(residual[1], "The loss was no number."), (residual[2], "Out of memory.")]


def test_what_is_trained_already_is_part_of_it_and_the_same_sweep_is_one(store):
    before = store.submit(sweeps.grid(NETS, DataConfig(), RECIPE, [1])[0])[0]
    sweep = begun(store)
    assert before.id in sweep.runs and len(store.runs()) == 6
    assert begun(store) == sweep and sweeps.all_of(store.home) == [sweep]
    other = begun(store, range(2))
    assert sweeps.all_of(store.home) == [other, sweep]
    assert sweeps.find(store.home, sweep.id) == sweep and sweeps.find(store.home, "Depth 8") == other
    sweeps.forget(store.home, other)
    assert sweeps.all_of(store.home) == [sweep] and len(store.runs()) == 6
    with pytest.raises(RunError, match=r"No sweep has the id or name 'x'. There are: sweep-\w+ \(Depth 8\)"):
        sweeps.find(store.home, "x")


@pytest.mark.parametrize(
    "content", ["", "[", "[]", "{}", '{"name": 1, "created": "", "runs": []}', '{"name": "a", "created": "", "runs": [1]}', "\xff"]
)
def test_a_damaged_file_is_no_sweep(store, content):
    sweep = begun(store)
    (store.home / ".sweeps" / "sweep-00000000.json").write_text(content, encoding="latin-1")
    (store.home / ".sweeps" / "sweep-evil.json").write_text('{"name": "a", "created": "", "runs": []}')
    assert sweeps.all_of(store.home) == [sweep]


@pytest.mark.parametrize("name", ["", "  ", "a" * 121, "a\nb"])
def test_a_name_can_be_shown(store, name):
    with pytest.raises(RunError, match="1 to 120 characters"):
        sweeps.keep(store, [], name)


def test_seeds_on_the_command_line():
    assert seeds("0-3") == (0, 1, 2, 3) and seeds("7, 1-2,1") == (7, 1, 2)
    for text in ("", ",", "a", "3-1", "-1", "0-", "0-5000", "1e9"):
        with pytest.raises(Exception, match="seed"):
            seeds(text)


@pytest.mark.slow
def test_the_command_trains_it_all_and_goes_on_when_it_is_asked_again(cli):
    options = ["--images-per-class", "3", "--batch-size", "8", "--iterations", "6", "--learning-rate", "0.02", "--schedule", "linear"]
    wanted = ["sweep", "--net", "plain-8-w2", "ResNet-8-w2", "--seeds", "0-1", *options, "--precision", "fp32", "--compile", "off"]
    queued = json.loads(cli(*wanted, "--no-wait", "--json").stdout.splitlines()[-1])
    assert len(queued["runs"]) == 4 and queued["missing"] == 0
    told = json.loads(cli(*wanted, "--json").stdout.splitlines()[-1])
    assert (told["sweep"], told["states"], told["done"], told["failed"]) == (queued["sweep"], {"finished": 4}, 1.0, [])
    assert [(net["net"], net["seeds"], len(net["test_error"]["by_seed"])) for net in told["nets"]] == [
        ("plain-8-w2", 2, 2),
        ("ResNet-8-w2", 2, 2),
    ]
    listed = cli("sweeps").stdout
    assert told["sweep"] in listed and "100 %" in listed and "4 finished" in listed
    assert "plain-8-w2" in cli("sweeps", told["sweep"]).stdout
    cli("sweeps", told["sweep"], "--forget")
    assert cli("sweeps").stdout.strip() == "There are no sweeps yet."
