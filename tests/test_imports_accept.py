"""Trial, acceptance and deletion: the suggestion, the folder that is written, names, and the command line."""

import contextlib
import dataclasses
import io
import json
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from resnet_core import architectures
from resnet_core import cli as commands
from resnet_core.architectures import ResNetConfig
from resnet_core.config import RunConfig
from resnet_core.imports import ImportRefused, Proposal, accept, acceptance, delete, inspection, reader, suggest_name, valid_name
from resnet_core.imports.trial import Attempt, Trial
from resnet_core.nets import catalog, find
from resnet_core.runs import RunStore, files
from tests.imports_nets import Akamaster, Chenyaofo, randomized
from tests.imports_tools import learned_net, proposal_of, stub  # noqa: F401  a fixture among them

# -- keeping ------------------------------------------------------------------------------------------------------------------------

TRIED = Trial((Attempt("half", "B", 4.5, 0.1),), Attempt("half", "B", 4.5, 0.1), 1000, "fp32")
#: On the test images: what the card tells.
TESTED = Trial((Attempt("half", "B", 12.3, 0.5),), Attempt("half", "B", 12.3, 0.5), 1000, "fp32")


@pytest.fixture
def proposal(tmp_path) -> Proposal:
    return proposal_of(randomized(Chenyaofo(8, width=4)), tmp_path / "cifar10_resnet8.pt")


def test_what_is_kept(proposal, tmp_path):
    home = RunStore().home
    assert not home.exists()
    net = accept(proposal, "mine", "half", errors=TRIED, measured=TESTED)
    assert (net.id, net.origin, net.model) == ("mine", "imported", ResNetConfig(8, "B", width=4))
    assert sorted(path.name for path in (home / ".imported").iterdir()) == ["mine"]
    assert sorted(path.name for path in net.path.iterdir()) == ["card.json", "weights.safetensors"]
    card = json.loads((net.path / "card.json").read_text())
    expected = {
        "name": "mine", "origin": "imported", "layout": "chenyaofo", "normalization": "half", "source_file": "cifar10_resnet8.pt",
        "source_sha256": "ab" * 32, "sample_error": 12.3, "sample_images": 1000, "sample_precision": "fp32", "notes": list(proposal.notes),
    }  # fmt: skip
    assert {key: card[key] for key in expected} == expected
    written = load_file(net.path / "weights.safetensors")
    assert all(np.array_equal(written[key].numpy(), array) for key, array in proposal.tensors.items())
    assert (written["normalization.mean"] == 0.5).all() and written["normalization.std"].shape == (3, 1, 1)
    assert [other.id for other in catalog().nets if other.origin == "imported"] == ["mine"] and find("mine") == net


def test_an_export_comes_back_as_it_was(proposal, tmp_path):
    """The weights file of a kept import is one of ours: imported again, nothing is open and nothing is lost."""
    net = accept(proposal, "mine", "half", errors=TRIED)
    arrays, report = reader.read(net.path / "weights.safetensors")
    again = inspection.propose(arrays, report, "weights.safetensors", 1, "0" * 64)
    assert (again.layout, again.questions, again.normalizations, again.shortcuts) == ("resnet-lab", (), ("half",), ("B",))
    assert all(np.array_equal(again.tensors[key], array) for key, array in proposal.tensors.items())
    copy = accept(again, errors=TRIED)
    assert copy.id == "resnet-8-b-w4-resnet-lab"  # a file called weights says nothing
    assert copy.card["checksum_sha256"] == net.card["checksum_sha256"]


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", ".hidden", "a/b", "../up", "/abs", "a\\b", "a\nb", "a b", "x" * 61, "-x", "naïve", "a\0b", "a:b", "*"]
)
def test_names_that_are_no_names(name, proposal):
    with pytest.raises(ImportRefused, match="cannot be a checkpoint's name"):
        accept(proposal, name, "half", errors=TRIED)
    assert not RunStore().home.exists()


def test_names_are_unique_among_checkpoints_and_runs(proposal, tmp_path, monkeypatch):
    shipped = tmp_path / "shipped"
    (shipped / "resnet-20").mkdir(parents=True)  # a broken one has its name too
    monkeypatch.setenv("RESNET_LAB_CHECKPOINTS", str(shipped))
    monkeypatch.setattr(RunStore, "ensure_workers", lambda self: None)
    run, _ = RunStore().submit(RunConfig(), "My-run")
    accept(proposal, "Mine", "half", errors=TRIED)
    for name in ("resnet-20", "RESNET-20", run.id, "my-run", "mine", "Mine"):
        with pytest.raises(ImportRefused, match="is the name of another checkpoint or run"):
            valid_name(name)
    assert valid_name(" mine-2 ") == "mine-2"


def test_a_free_name_is_suggested(proposal):
    def suggested(file_name):
        return suggest_name(dataclasses.replace(proposal, file_name=file_name))

    assert suggested("resnet20-12fca82f.th") == "resnet20-12fca82f"
    assert suggested("my net (2).pth") == "my-net-2"
    assert suggested("model.pt") == suggested("…") == "resnet-8-b-w4-chenyaofo"
    assert len(suggested("x" * 200)) <= 60
    accept(proposal, None, "half", errors=TRIED)
    assert suggested("cifar10_resnet8.pt") == "cifar10_resnet8-2"
    assert accept(proposal, None, "half", errors=TRIED).id == "cifar10_resnet8-2"
    for name in ("resnet20-12fca82f", "my-net-2", "x" * 55):
        assert valid_name(name) == name


def test_open_questions_have_to_be_answered(learned, tmp_path):
    proposal = proposal_of(learned, tmp_path / "net.th")
    for answers, phrase in (
        ({}, "does not say its normalization: choose one of imagenet, pixel-mean"),
        ({"normalization": "imagenet"}, "does not say its shortcut: choose one of A-both, A-behind, none"),
        ({"normalization": "lab"}, "'lab' is not a normalization that fits this file"),
        ({"normalization": "imagenet", "shortcut": "B"}, "'B' is not a shortcut that fits this file; it must be one of A-both"),
    ):
        with pytest.raises(ImportRefused, match=phrase):
            accept(proposal, "mine", errors=TRIED, **answers)
    assert not RunStore().home.exists()


def test_an_import_that_reads_otherwise_than_it_was_written_is_taken_back(proposal, monkeypatch):
    def flawed(folder, tensors, *rest):
        changed = {**tensors, "fc.bias": tensors["fc.bias"] + 1}
        return write(folder, changed, *rest)

    write = acceptance.write_folder
    monkeypatch.setattr(acceptance, "write_folder", flawed)
    with pytest.raises(ImportRefused, match=r"reads otherwise: 'fc\.bias'"):
        accept(proposal, "mine", "half", errors=TRIED)
    assert list((RunStore().home / ".imported").iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_import(proposal):
    folder = accept(proposal, "first", "half", errors=TRIED).path.parent
    for name in (".new-x-1", ".old-.new-x-1", ".deleted-x-1"):
        (folder / name).mkdir()
    accept(proposal, "second", "half", errors=TRIED)
    assert sorted(path.name for path in folder.iterdir()) == ["first", "second"]


def test_two_who_delete_the_same_import(proposal, monkeypatch):
    accept(proposal, "mine", "half", errors=TRIED)
    real = files.locked

    @contextlib.contextmanager
    def slow(home):
        monkeypatch.setattr(files, "locked", real)
        delete("mine")  # the other one was faster
        with real(home):
            yield

    monkeypatch.setattr(files, "locked", slow)
    with pytest.raises(ImportRefused, match="No imported checkpoint is called"):
        delete("mine")


def test_deletion_takes_imports_and_nothing_else(proposal, tmp_path):
    home = RunStore().home
    accept(proposal, "mine", "half", errors=TRIED)
    accept(proposal, "damaged", "half", errors=TRIED)
    (home / ".imported" / "damaged" / "card.json").write_text("{")
    (home / "a-run").mkdir()
    for name in ("a-run", "../a-run", "", ".", "..", "nothing", "mine/card.json"):
        with pytest.raises(ImportRefused, match="No imported checkpoint is called"):
            delete(name)
    assert len(catalog().problems) == 1
    delete("damaged")
    delete("mine")
    assert list((home / ".imported").iterdir()) == [] and (home / "a-run").is_dir()
    assert catalog().problems == []


# -- the command line -----------------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def line(tmp_path, monkeypatch, capsys, learned):
    """Runs ``import`` in this process on a file of ``learned``; gives the exit status, stdout and stderr."""
    save_file(learned, tmp_path / "tiny.safetensors")

    def call(*arguments, stdin=None):
        monkeypatch.setattr(sys, "stdin", io.StringIO() if stdin is None else Terminal(stdin))
        code = commands.main(["import", str(tmp_path / "tiny.safetensors"), *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_import_without_anybody_to_ask_names_the_choices_and_their_errors(line):
    code, out, err = line()
    assert code == 2 and out == "" and not RunStore().home.exists()
    assert "does not say its normalization and shortcut" in err and "imagenet --shortcut A-both (" in err and " %)" in err
    assert err.rstrip().endswith("--normalization auto takes imagenet.") and len(err.splitlines()) == 1
    code, _, err = line("--normalization", "imagenet")
    assert code == 2 and "does not say its shortcut. Choose with --shortcut A-both (" in err


def test_import_takes_the_best_where_it_is_told_to(line):
    code, out, err = line("--normalization", "auto", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert {key: told[key] for key in ("name", "layout", "normalization", "n")} == {
        "name": "tiny", "layout": "akamaster", "normalization": "imagenet", "n": 1000,
    }  # fmt: skip
    assert architectures.from_dict(told["model"]) == ResNetConfig(8, "A", 8)
    assert told["training_error"] < told["top1_error"] == find("tiny").card["sample_error"] < 75
    assert told["training_n"] == 1000 and any("both sides" in note for note in told["notes"])


def test_import_with_both_choices_made(line):
    code, out, err = line("--normalization", "half", "--shortcut", "none", "--name", "other")
    assert code == 0, err
    assert "imported as other" in out and "plain-8" in out and "on the sample's 1,000 test images" in out
    assert (find("other").model.shortcut, find("other").card["normalization"]) == ("none", "half")


def test_option_a_may_be_said_without_its_side(line):
    code, out, err = line("--normalization", "imagenet", "--shortcut", "A", "--json")
    assert code == 0, err
    assert json.loads(out)["model"]["shortcut"] == "A"
    assert any("taken to pad the new channels on both sides" in note for note in json.loads(out)["notes"])
    code, _, err = line("--normalization", "imagenet", "--shortcut", "A-behind", "--name", "other")
    assert code == 0 and "of 1,000 training images of the sample are wrong" in err  # more than half: never without a word


def test_what_was_nearly_as_good_is_told(line, monkeypatch):
    def stubbed(proposal, progress, choices):
        return stub(("imagenet", "A-both", 7.3, 0.272), ("pixel-mean", "A-both", 7.0, 0.258), ("half", "none", 30.0, 1.0))

    monkeypatch.setattr("resnet_core.imports.trial.trial", stubbed)
    code, out, err = line("--normalization", "auto")
    assert code == 0 and "normalization  pixel-mean" in out
    assert "imagenet with shortcut A-both (7.30 %) did as well as far as chance allows to tell; pixel-mean with" in err
    code, _, err = line("--normalization", "imagenet", "--name", "second")
    assert code == 2 and "did as well" not in err  # nothing was taken


def test_the_shortcut_is_asked_for_where_no_error_can_tell(tmp_path, capsys, monkeypatch):
    save_file(randomized(Akamaster(8, "A", 4, num_classes=100)).state_dict(), tmp_path / "hundred.safetensors")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    begin = ["import", str(tmp_path / "hundred.safetensors"), "--normalization", "auto"]
    for arguments in ([], ["--shortcut", "auto"], ["--shortcut", "A"]):
        assert commands.main([*begin, *arguments]) == 2
        err = capsys.readouterr().err
        assert "does not say its shortcut. Choose with --shortcut A-both, A-behind" in err and "auto takes" not in err
    assert commands.main([*begin, "--shortcut", "A-both"]) == 0
    assert find("hundred").model.shortcut == "A"


def test_import_asks_at_a_terminal(line):
    code, _, err = line(stdin="\n")
    assert code == 0, err
    assert "Which choice? [1]" in err and "1 *" in err
    assert find("tiny").card["normalization"] == "imagenet" and find("tiny").model.shortcut == "A"
    for answer in ("99\n", "x\n", ""):
        code, _, err = line("--name", "second", stdin=answer)
        assert code == 2 and "nothing was imported" in err
    assert [net.id for net in catalog().nets if net.origin == "imported"] == ["tiny"]


@pytest.mark.parametrize(
    "arguments, phrase",
    [
        (["--normalization", "lab"], "--normalization: 'lab' does not fit this file; it must be one of imagenet"),
        (["--shortcut", "B"], "--shortcut: 'B' does not fit this file; it must be one of A-both, A-behind, none, auto"),
        (["--name", "../x"], "cannot be a checkpoint's name"),
    ],
)
def test_import_refuses_in_one_line(line, arguments, phrase):
    code, out, err = line(*arguments)
    assert code == 2 and out == "" and phrase in err.splitlines()[-1] and not RunStore().home.exists()


def test_import_in_a_process_of_its_own(cli, tmp_path):
    torch.save({"state_dict": {f"module.{k}": v for k, v in randomized(Chenyaofo(8, 100, 4)).state_dict().items()}}, tmp_path / "c100.pth")
    told = cli.json("import", str(tmp_path / "c100.pth"), "--normalization", "auto", "--name", "hundred")
    assert (told["name"], told["top1_error"], told["n"], told["normalization"]) == ("hundred", None, 0, "cifar100")
    refused = cli("import", str(tmp_path / "nothing.pth"))
    assert refused.returncode == 2 and refused.stderr == "resnet-lab: error: nothing.pth: There is no such file.\n"
