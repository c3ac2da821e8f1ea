"""The command line with trainings, on tiny nets: results, stopping and resuming, and the ways a training can end badly."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import sys
import termios

import pytest

from resnet_core.cli.train import INTERRUPTED
from resnet_core.training import checkpoint, saved
from tests.command_line import ROOT, TINY, CommandLine
from tests.waiting import PATIENCE, wait_for

SHORT = [*TINY, "--iterations", "12"]
#: Long enough to be stopped on the way, with little else than training to do.
LONG = [*TINY, "--iterations", "2000", "--test-every", "2000", "--layers-every", "2000", "--record-every", "5"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A home with one finished run, and what ``train --json`` said of it."""
    line = CommandLine(tmp_path_factory.mktemp("trained") / "runs")
    process = line.start("train", *SHORT, "--validation", "--name", "tiny", "--json")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    yield line, out, err
    line.end_workers()


def stop_while_training(cli: CommandLine, run_id: str | None, *arguments: str) -> tuple[int, str, str]:
    """Starts a command, sends it one Ctrl-C once its training has made a record, and gives its status, stdout and stderr."""
    process = cli.start(*arguments)
    (run,) = wait_for(cli.store.runs, "the run") if run_id is None else [cli.store.get(run_id)]
    before = len(run.records("train"))
    wait_for(lambda: len(run.records("train")) > before or process.poll() is not None, "a record")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def test_train_gives_one_object_with_the_result(trained):
    cli, out, err = trained
    assert out.count("\n") == 1
    told = json.loads(out)
    (run,) = cli.store.runs()
    result = run.state().result
    assert (told["run"], told["name"], told["state"]) == (run.id, "tiny", "finished")
    assert (told["iteration"], told["iterations"]) == (12, 12)
    assert (told["params"], told["macs"]) == (5_006, 848_032)
    assert 0 < told["train_error"] <= 100 and told["train_error"] == result["train_error"]
    assert 0 < told["test_error"] <= 100 and told["test_error"] == run.records("test")[-1]["test_error"]
    assert 0 < told["validation_error"] <= 100 and told["validation_error"] == run.records("test")[-1]["validation_error"]
    assert told["images_per_second"] > 0
    state, _ = checkpoint.load(saved.latest(run.path / "checkpoints"))
    assert told["weights_sha256"] == checkpoint.weights_sha256(state.model)
    shown = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith('{"run"')]
    assert [set(json.loads(line)) | {"validation_error"} for line in shown] == [set(told)]
    assert "tiny: iteration 12 of 12, train " in err
    assert "Traceback" not in err


def test_the_same_training_is_not_done_twice(trained):
    cli, out, _ = trained
    ended = cli("train", *SHORT, "--validation", "--json")
    assert ended.returncode == 0
    assert ended.stdout == out
    assert "was trained with this configuration already" in ended.stderr
    assert len(cli.store.runs()) == 1
    people = cli("train", *SHORT, "--validation")
    assert f"  weights SHA-256   {json.loads(out)['weights_sha256']}\n" in people.stdout
    assert "tiny, sample (4,500 images + 500 for validation)\n" in people.stdout


def test_again_trains_anew_and_comes_to_the_same_weights(trained):
    cli, out, _ = trained
    first = json.loads(out)
    second = cli.json("train", *SHORT, "--validation", "--again")
    assert second["run"] == first["run"] + "-2"
    assert second["weights_sha256"] == first["weights_sha256"]
    assert second["test_error"] == first["test_error"]
    cli.json("delete", second["run"], "--yes")


def test_a_terminal_gets_a_bar(trained):
    cli, _, _ = trained
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execve(sys.executable, [sys.executable, "-m", "resnet_core", "train", *SHORT, "--validation"], cli.environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert "tiny 100% |" in shown.decode()
    assert "| 12/12, train " in shown.decode()


def test_ctrl_c_stops_with_a_checkpoint_and_resume_goes_on(cli):
    status, out, err = stop_while_training(cli, None, "train", *LONG, "--json")
    assert status == INTERRUPTED
    told = json.loads(out)
    (run,) = cli.store.runs()
    assert (told["run"], told["state"]) == (run.id, "stopped")
    assert 0 < told["iteration"] < 2000
    assert f"go on with: python -m resnet_core resume {run.id}\n" in err
    state, _ = checkpoint.load(saved.latest(run.path / "checkpoints"))
    assert state.values["iteration"] == told["iteration"]

    status, out, err = stop_while_training(cli, run.id, "resume", run.id, "--json")
    assert status == INTERRUPTED
    assert told["iteration"] < json.loads(out)["iteration"] < 2000
    # `train` with the same options goes on with the same run.
    status, out, err = stop_while_training(cli, run.id, "train", *LONG, "--json")
    assert f"run {run.id} has this configuration and is stopped at iteration" in err
    assert json.loads(out)["run"] == run.id
    iterations = [row["iteration"] for row in run.records("train")]
    assert iterations == [1, *range(5, iterations[-1] + 1, 5)]


def test_a_killed_worker_is_told_truthfully(cli):
    process = cli.start("train", *LONG, "--json")
    (run,) = wait_for(cli.store.runs, "the run")
    wait_for(lambda: run.records("train") or process.poll() is not None, "a record")
    (worker,) = cli.workers()
    worker.kill()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert json.loads(out)["state"] == "interrupted"
    assert f"resnet-lab: error: run {run.id} was interrupted: " in err
    assert f"Go on with: python -m resnet_core resume {run.id}\n" in err


def test_the_training_outlives_its_follower(cli):
    process = cli.start("train", *LONG)
    (run,) = wait_for(cli.store.runs, "the run")
    wait_for(lambda: run.records("train") or process.poll() is not None, "a record")
    process.kill()
    process.communicate(timeout=PATIENCE)
    seen = run.records("train")[-1]["iteration"]
    wait_for(lambda: run.records("train")[-1]["iteration"] > seen, "more records")
    assert run.state().state == "running"
    ended = cli.json("stop", run.id)
    assert (ended["run"], ended["state"]) == (run.id, "stopped")


def test_divergence_is_an_error(cli):
    # Each update multiplies the weights by about 1 - 100 x 1.
    ended = cli("train", *SHORT, "--iterations", "60", "--learning-rate", "100", "--weight-decay", "1", "--schedule", "constant", "--json")
    assert ended.returncode == 1
    told = json.loads(ended.stdout)
    assert told["state"] == "diverged"
    assert f"resnet-lab: error: run {told['run']} diverged: " in ended.stderr
    assert "Traceback" not in ended.stderr
    refused = cli("resume", told["run"])
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.slow
def test_demo_gives_the_four_final_errors(cli):
    told = cli.json("demo", "--iterations", "1", "--seed", "3")
    assert list(told["nets"]) == ["plain-20", "plain-56", "ResNet-20", "ResNet-56"]
    for net in told["nets"].values():
        assert (net["state"], net["iteration"]) == ("finished", 1)
        assert 0 < net["train_error"] <= 100 and 0 < net["test_error"] <= 100
    for name, family in (("plain", "plain"), ("residual", "ResNet")):
        deep, shallow = told["nets"][f"{family}-56"], told["nets"][f"{family}-20"]
        assert told["gaps"][name] == round(deep["clean_train_error"] - shallow["clean_train_error"], 2)
    assert told["seconds"] > 0
    again = cli("demo", "--iterations", "1", "--seed", "3")
    assert again.returncode == 0
    assert [line.split()[:2] for line in again.stdout.splitlines()[1:5]] == [[name, "finished"] for name in told["nets"]]
    assert told["verdict"] in again.stdout
    assert len(cli.store.runs()) == 4


def test_grow_trains_on_as_a_deeper_net(trained):
    cli, _, _ = trained
    (parent,) = cli.store.runs()
    told = cli.json("grow", parent.id, "--rounds", "1", "--iterations", "2")
    run = cli.store.get(told["run"])
    assert (told["state"], told["iterations"], told["name"]) == ("finished", 2, run.config.name)
    assert run.config.start.origin == parent.id and run.config.model.depth == parent.config.model.depth + 6
    assert run.config.recipe.seed == parent.config.recipe.seed
