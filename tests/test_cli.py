"""The command line where nothing is trained: options, errors, exit statuses, and the commands on the run folder."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import subprocess
import sys

import pytest

from resnet_core.architectures import ResNetConfig
from resnet_core.cli import COMMANDS, follow, main, manage, options, output, parser, train
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.runs import RunStore
from tests.command_line import TINY, CommandLine
from tests.waiting import PATIENCE, wait_for

#: One value other than the default for every option of a training.
OTHERS = {
    ResNetConfig: {
        **{"--depth": 56, "--shortcut": "B", "--width": 4, "--block": "bottleneck"},
        **{"--norm": "none", "--activation": "pre", "--branch": "rezero", "--survival": 50, "--dropout": 20},
        **{"--nonlinearity": "tanh", "--initialization": "xavier"},
    },
    DataConfig: {"--data": "cifar10", "--validation": True, "--images-per-class": 7},
    Recipe: {
        "--iterations": 300,
        "--batch-size": 32,
        "--learning-rate": 0.02,
        "--schedule": "cosine",
        "--milestones": (0.25, 0.5, 0.9),
        "--gamma": 0.2,
        "--warmup": "error",
        "--warmup-iterations": 10,
        "--warmup-learning-rate": 0.02,
        "--warmup-error": 70.0,
        "--momentum": 0.8,
        "--weight-decay": 0.0005,
        "--augmentation": "none",
        "--seed": 7,
        "--precision": "fp32",
        "--device": "cpu",
        "--compile": "off",
        "--record-every": 1,
        "--test-every": 2,
        "--layers-every": 3,
        "--checkpoint-every": 4,
        "--scale-range": (36, 48),
        "--pca-colour": 0.1,
        "--colour-jitter": 0.4,
        "--patience": 3,
        "--replicas": 2,
    },
}


@pytest.fixture
def idle(tmp_path):
    """A command line that starts no workers: what is submitted stays in the queue."""
    return CommandLine(tmp_path / "runs", RESNET_LAB_SLOTS="0")


def submit(tmp_path, monkeypatch, **recipe) -> tuple[RunStore, RunConfig]:
    """A store with one run that stays in the queue."""
    monkeypatch.setenv("RESNET_LAB_SLOTS", "0")
    store = RunStore(tmp_path / "runs")
    config = RunConfig(ResNetConfig(8, "A", 4), DataConfig(), Recipe(iterations=5, batch_size=16, **recipe))
    store.submit(config)
    return store, config


def test_one_command_loads_its_own_module_and_is_as_among_all():
    def of(asked: str | None) -> dict[str, argparse.ArgumentParser]:
        (found,) = [action.choices for action in parser(asked)._actions if isinstance(action, argparse._SubParsersAction)]
        return found

    everything = of(None)
    assert sorted(everything) == sorted(name for texts in COMMANDS.values() for name in texts)
    for texts in COMMANDS.values():
        for name in texts:
            assert of(name)[name].format_help() == everything[name].format_help()
    assert parser("--help").format_help() == parser("trian").format_help() == parser().format_help()
    code = "import sys; from resnet_core.cli import parser; parser('runs'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [module for module in COMMANDS if f"resnet_core.cli.{module}" in loaded] and "resnet_core.cli.train" in loaded


@pytest.mark.parametrize("cls", OTHERS)
def test_every_field_is_an_option_with_a_help_text(cls):
    shown = argparse.ArgumentParser()
    options.add_training(shown)
    actions = {action.dest: action for action in shown._actions}
    fields = {field.name for field in dataclasses.fields(cls)} - {"num_classes"}
    if cls is DataConfig:  # --pictures is a folder, from which the field is made
        fields -= {"pictures"}
    assert {actions[name].option_strings[0] for name in fields} == set(OTHERS[cls])
    assert [name for name in fields if len(actions[name].help) < len("of SGD (default: 0)")] == []


@pytest.mark.parametrize("cls", OTHERS)
def test_options_make_the_configuration_they_name(cls):
    words = []
    for flag, value in OTHERS[cls].items():
        words += [flag] if value is True else [flag, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    made = options.read_fields(parser().parse_args(["train", *words]), cls)
    names = {"data": "dataset"}
    expected = {names.get(flag[2:], flag[2:].replace("-", "_")): value for flag, value in OTHERS[cls].items()}
    assert made == cls(**expected)
    assert [name for name, value in expected.items() if value == getattr(cls(), name)] == []


def test_no_options_make_the_defaults():
    args = parser().parse_args(["train"])
    assert [options.read_fields(args, cls) for cls in OTHERS] == [cls() for cls in OTHERS]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("train --depth 57", ["depth: 57", "6n+2", "56 and 62"]),
        ("complexity --depth 57", ["depth: 57", "56 and 62"]),
        ("complexity --depth 30 --block bottleneck", ["9n+2", "29 and 38"]),
        ("complexity --depth 3", ["nearest valid depth is 8"]),
        ("complexity --depth 5000", ["nearest valid depth is 1202"]),
        ("complexity --shortcut D", ["shortcut: 'D'", "none, A, B, C"]),
        ("complexity --width 257", ["width: 257", "1 to 256"]),
        ("complexity --width 0", ["width: 0", "1 to 256"]),
        ("complexity --depth twenty", ["--depth", "'twenty' is not a whole number"]),
        ("train --learning-rate fast", ["--learning-rate", "'fast' is not a number"]),
        ("train --learning-rate nan", ["learning_rate: nan is not a finite number"]),
        ("train --milestones 0.5,x", ["--milestones", "'x' is not a number"]),
        ("train --milestones 0.5,0.5", ["milestones", "must rise"]),
        ("train --scale-range 36,x", ["--scale-range", "'x' is not a whole number"]),
        ("train --augmentation scale --scale-range 30,36", ["scale_range", "32 pixels cannot be taken from images of 30"]),
        ("train --iterations 0", ["iterations: 0"]),
        ("train --data imagenet", ["dataset: 'imagenet'", "sample, cifar10"]),
        ("train --dep 20", ["unrecognized arguments: --dep 20"]),
        ("demo --iterations 0", ["iterations: 0"]),
        ("bench --rounds 0", ["--rounds", "0 is out of range", "at least 1"]),
        ("bench --steps 1.5", ["--steps", "'1.5' is not a whole number"]),
        ("frobnicate", ["'frobnicate'", "'train'"]),
        ("", ["COMMAND"]),
        ("resume nothing", ["'nothing'", "There are no runs yet"]),
        ("delete nothing --yes", ["'nothing'", "There are no runs yet"]),
        ("stop nothing", ["'nothing'"]),
        ("rename nothing something", ["'nothing'"]),
    ],
)
def test_errors_are_one_line_on_stderr_and_exit_status_2(line, parts, capsys):
    try:
        status = main(line.split())
    except SystemExit as ended:
        status = ended.code
    out, err = capsys.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("resnet-lab: error: ")
    assert [part for part in parts if part not in err] == []


def test_a_wrong_depth_in_a_process_of_its_own(cli):
    ended = cli("train", "--depth", "57")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        "resnet-lab: error: depth: 57 is not of the form 6n+2 (basic blocks, up to 1202); the nearest valid depths are 56 and 62."
    ]
    assert not cli.home.exists()


def test_missing_data_is_told_before_anything_is_queued(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    ended = cli("train", "--data", "cifar10", "--data-dir", str(tmp_path / "empty"))
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert str(tmp_path / "empty") in ended.stderr
    assert cli.store.runs() == []


def test_what_nobody_foresaw_is_one_line_too(monkeypatch, capsys):
    def broken(args):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(manage, "runs", broken)
    assert main(["runs"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("resnet-lab: error: ZeroDivisionError: division by zero")
    monkeypatch.setenv("RESNET_LAB_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["runs"])


@pytest.mark.parametrize(
    ("arguments", "params", "macs", "layers"),
    [
        ("--depth 56", 853_018, 125_485_696, 56),
        ("--depth 56 --shortcut none", 853_018, 125_485_696, 56),
        ("--depth 56 --shortcut B", 855_770, None, 56),
        ("--depth 20 --shortcut A", 269_722, 40_551_040, 20),
        ("--depth 1202 --shortcut A", 19_421_274, 2_829_238_912, 1202),
    ],
)
def test_complexity_gives_the_papers_counts(arguments, params, macs, layers, capsys):
    assert main(["complexity", *arguments.split(), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["params"], told["layers"]) == (params, layers)
    # Option B's projections cost MACs that the paper does not tabulate; at least they cost some.
    assert told["macs"] == macs if macs else told["macs"] > 125_485_696


def test_complexity_for_people(cli):
    ended = cli("complexity", "--depth", "56", "--shortcut", "none")
    assert (ended.returncode, ended.stdout) == (0, "plain-56: 853,018 parameters, 125,485,696 MACs, 56 weighted layers\n")


def test_runs_rename_and_delete(tmp_path, monkeypatch, capsys):
    home = str(tmp_path / "runs")
    assert main(["runs", "--home", home]) == 0
    assert capsys.readouterr().out == f"There are no runs in {home} yet.\n"
    assert main(["runs", "--home", home, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"home": home, "runs": []}

    store, _ = submit(tmp_path, monkeypatch)
    (run,) = store.runs()
    assert main(["rename", run.id, "the first"]) == 0
    capsys.readouterr()
    assert main(["runs", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["runs"]
    assert (told["run"], told["name"], told["family"], told["state"]) == (run.id, "the first", "resnet", "queued")
    assert (told["iteration"], told["iterations"], told["test_error"]) == (0, 5, None)
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [run.id, "the", "first", "queued", "0/5", "-", "-", "-"]

    assert main(["delete", "the first", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": run.id, "deleted": True}
    assert store.runs() == []


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("\n", 1), ("n\n", 1), ("", 1)])
def test_delete_asks_on_a_terminal(answer, status, tmp_path, monkeypatch, capsys):
    store, _ = submit(tmp_path, monkeypatch)
    (run,) = store.runs()

    class Terminal:
        def isatty(self):
            return True

        def readline(self):
            return answer

    monkeypatch.setattr("sys.stdin", Terminal())
    assert main(["delete", run.id]) == status
    assert f"Delete run {run.id} (ResNet-8-w4, queued, 0 iterations)" in capsys.readouterr().err
    assert len(store.runs()) == status


def test_delete_without_a_terminal_deletes_nothing_unless_told_so(idle, tmp_path, monkeypatch):
    store, _ = submit(tmp_path, monkeypatch)
    (run,) = store.runs()
    refused = idle("delete", run.id)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert store.runs() == [run]
    assert idle("delete", run.id, "--yes").returncode == 0
    assert store.runs() == []


def test_a_broken_run_is_named_and_can_be_deleted(tmp_path, monkeypatch, capsys):
    store, _ = submit(tmp_path, monkeypatch)
    (run,) = store.runs()
    (run.path / "run.json").write_text("{")
    assert main(["runs", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["runs"] == []
    assert str(run.path) in err
    assert main(["delete", run.id, "--yes"]) == 0
    assert not run.path.exists()


def test_ctrl_c_takes_a_run_out_of_the_queue_and_says_how_to_go_on(idle):
    process = idle.start("train", *TINY, "--iterations", "5", "--json")
    (run,) = wait_for(idle.store.queue, "the run to be queued")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == train.INTERRUPTED
    told = json.loads(out)
    assert (told["run"], told["state"], told["iteration"]) == (run.id, "stopped", 0)
    assert f"go on with: python -m resnet_core resume {run.id}\n" in err
    assert "Traceback" not in err


def test_the_same_configuration_joins_the_run_in_the_queue(idle, tmp_path, monkeypatch):
    store, config = submit(tmp_path, monkeypatch, precision="fp32", device="cpu", compile="off")
    assert config.model.name == "ResNet-8-w4"
    process = idle.start("train", *TINY, "--iterations", "5", stderr=subprocess.PIPE)
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    (run,) = store.runs()
    assert first == f"resnet-lab: run {run.id} has this configuration and is queued already; following it.\n"
    assert run.state().state == "stopped"


def test_a_stopped_configuration_goes_on(tmp_path, monkeypatch, capsys):
    store, config = submit(tmp_path, monkeypatch)
    (run,) = store.runs()
    store.stop(run.id)
    assert train.enter(store, config) == run
    assert run.state().state == "queued"
    assert f"run {run.id} has this configuration and is stopped at iteration 0; it goes on." in capsys.readouterr().err


def test_stop_takes_a_run_out_of_the_queue(tmp_path, monkeypatch, capsys):
    store, _ = submit(tmp_path, monkeypatch)
    (run,) = store.runs()
    assert main(["stop", run.id]) == 0
    assert capsys.readouterr().out == f"Run {run.id} is stopped at iteration 0 of 5.\n"
    assert main(["stop", run.id]) == 2


def test_a_queue_without_a_worker_is_not_waited_for_forever(tmp_path, monkeypatch, capsys):
    store, _ = submit(tmp_path, monkeypatch)
    (run,) = store.runs()
    with store.locked():
        store.change(run, message="The worker process ended before it began; its log is slot.log.")
    monkeypatch.setattr(follow, "RETRY_SECONDS", 0.2)
    with follow.Interrupts() as interrupts:
        status = follow.follow(store, run, interrupts)
    assert status.state == "queued"
    assert train.outcome(run, status, None) == 1
    assert "no worker could be started: The worker process ended before it began" in capsys.readouterr().err


def test_a_reader_that_goes_away_gets_no_complaint(idle, tmp_path, monkeypatch):
    submit(tmp_path, monkeypatch)
    process = idle.start("runs", "--json")
    process.stdout.close()
    process.wait(timeout=PATIENCE)
    assert (process.returncode, process.stderr.read()) == (1, "")


def test_tables_are_aligned():
    assert output.table(("net", "error"), [("plain-20", "9 %"), ("a", "10.5 %")]).splitlines() == [
        "net        error",
        "plain-20     9 %",
        "a         10.5 %",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(5.4, "0:05"), (65, "1:05"), (7384, "2:03:04"), (3599.6, "1:00:00")])
def test_remaining_time(seconds, text):
    assert follow.remaining(seconds) == text


def test_probe_tells_what_auto_means_and_measures_again(monkeypatch, tmp_path, capsys):
    from resnet_core.training import timing

    ratios = [2.5, 0.4]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(timing, "compare", lambda *_: timing.Answer(ratios.pop(0), 0.1, "2026-11-30T00:00:00+00:00"))
    for arguments, expected in (([], "trains in bf16"), ([], "trains in bf16"), (["--again"], "trains in fp32")):
        assert main(["probe", *arguments]) == 0
        assert expected in capsys.readouterr().out
    assert main(["probe", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["precision"], told["ratio"], told["clear"]) == ("fp32", 0.4, True)
