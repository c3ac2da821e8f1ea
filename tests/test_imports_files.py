"""Files that are no checkpoints are refused with what is wrong, run nothing and leave nothing; real ones are read in all their forms."""

import tempfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.imports import ImportRefused, ReaderFailed, inspection, pickled, process, reader
from resnet_core.imports.proposal import OWN
from resnet_core.nets import NORMALIZATIONS
from resnet_core.nets.folder import save_weights
from tests.imports_files import CASES, MARKER, legacy, state
from tests.imports_nets import Akamaster, Chenyaofo, randomized


def examine(path, name=None):
    """What ``inspect_file`` does, without a process of its own: that costs seconds a file (test_imports_process.py has it)."""
    arrays, report = reader.read(path)
    return inspection.propose(arrays, report, name or path.name, path.stat().st_size, "0" * 64)


@pytest.fixture
def spotless(tmp_path, monkeypatch):
    """A folder for the file of the test; nothing else may be written into it, into the folder for temporary files, or the home."""
    work, temporary, home = tmp_path / "work", tmp_path / "temporary", tmp_path / "home"
    for folder in (work, temporary):
        folder.mkdir()
    monkeypatch.setenv("RESNET_LAB_HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    yield work
    assert [path.name for path in work.iterdir()] == ["file"]
    assert list(temporary.iterdir()) == [] and not home.exists()


@pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_malformed_file_is_refused_with_its_own_message(name, spotless):
    make, phrase = CASES[name]
    make(spotless / "file")
    with pytest.raises(ImportRefused) as caught:
        examine(spotless / "file")
    message = str(caught.value)
    assert phrase in message
    assert len(message) < 600 and message.isprintable() and "Traceback" not in message


def test_the_corpus_is_as_large_as_promised():
    assert len(CASES) >= 90
    # Few share a message: the same thing in several forms of the file.
    assert len({phrase for _, phrase in CASES.values()}) >= len(CASES) - 4


@pytest.mark.parametrize("name", ["command", "command_in_legacy_form", "evaluated"])
def test_torch_itself_would_not_run_a_command_either(name, spotless):
    """The look at the pickle before it is the first lock, ``weights_only`` the second."""
    CASES[name][0](spotless / "file")
    with pytest.raises(ImportRefused, match=r"torch.load\(weights_only=True\) refuses it: .*(posix.system|GLOBAL eval)"):
        pickled.read_pickled(spotless / "file")
    assert not (spotless / MARKER).exists()


def test_a_command_in_the_corpus_is_a_real_one(tmp_path):
    """The corpus would prove nothing with a harmless pickle: unpickled freely, it runs."""
    CASES["command"][0](tmp_path / "file")
    torch.load(tmp_path / "file", weights_only=False)
    assert (tmp_path / MARKER).exists()


@pytest.mark.parametrize("length", [ord("{"), ord("["), ord(" "), 10, 200, 255])
def test_a_safetensors_file_is_told_by_its_header_whatever_its_length(length, tmp_path):
    """The file begins with that length: its first byte may look like that of a text."""
    save_file(state(), tmp_path / "plain")
    header = (tmp_path / "plain").read_bytes()[8:].partition(b"}}")[0] + b"}}"
    data = (tmp_path / "plain").read_bytes()[8 + int.from_bytes((tmp_path / "plain").read_bytes()[:8], "little") :]
    padded = header + b" " * ((length - len(header)) % 256)
    (tmp_path / "file").write_bytes(len(padded).to_bytes(8, "little") + padded + data)
    assert (tmp_path / "file").read_bytes()[0] == length
    assert examine(tmp_path / "file").model == ResNetConfig(8, "B", width=4)


# -- what is read --------------------------------------------------------------------------------------------------------------

FORMS = {"zip": torch.save, "legacy": legacy, "safetensors": save_file}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file_is_read_by_its_content(form, tmp_path):
    FORMS[form](state(), tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert (proposal.layout, proposal.model) == ("chenyaofo", ResNetConfig(8, "B", width=4))
    assert proposal.notes == ()
    expected = state()
    assert torch.equal(torch.from_numpy(proposal.tensors["layer2.0.shortcut.conv.weight"]), expected["layer2.0.downsample.0.weight"])


@pytest.mark.parametrize(
    "form, name, noted",
    [
        ("zip", "net.safetensors", "ends in .safetensors, but it is written by torch.save"),
        ("safetensors", "net.pth", "ends in .pth, but it is a safetensors file"),
        ("legacy", "net.safetensors", "before 1.6"),
        ("legacy", "net.th", None),
        ("zip", "net.PT", None),
        ("zip", "net.ckpt", None),
        ("safetensors", "net.safetensors", None),
    ],
)
def test_a_wrong_ending_is_told(form, name, noted, tmp_path):
    FORMS[form](state(), tmp_path / name)
    notes = examine(tmp_path / name).notes
    assert (noted is None and notes == ()) or noted in notes[0]


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("wrapper", ["state_dict", "model", "net", "model_state_dict"])
def test_wrappers_are_opened_and_told(form, wrapper, tmp_path):
    wrapped = {"epoch": 3, wrapper: {f"module.{key}": value for key, value in state().items()}, "best_prec1": torch.tensor(91.7)}
    FORMS[form](wrapped, tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert proposal.model == ResNetConfig(8, "B", width=4)
    assert proposal.notes == (
        f"Unwrapped from '{wrapper}'; beside it were 'epoch', 'best_prec1'.",
        "The prefix 'module.' of every key was removed.",
    )


def test_wrappers_in_wrappers_and_several_of_them(tmp_path):
    torch.save({"model": {"state_dict": state()}}, tmp_path / "file")
    assert examine(tmp_path / "file").notes == ("Unwrapped from 'model'.", "Unwrapped from 'model/state_dict'.")
    torch.save({"net": state(), "state_dict": state()}, tmp_path / "file")
    assert "It holds several nets ('state_dict', 'net'); 'state_dict' was taken." in examine(tmp_path / "file").notes


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32_and_are_told(form, dtype, tmp_path):
    other = {key: tensor.to(dtype) if tensor.is_floating_point() else tensor for key, tensor in state().items()}
    FORMS[form](other, tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert proposal.notes == (f"The weights were {str(dtype).removeprefix('torch.')}; they were converted to float32.",)
    assert torch.equal(torch.from_numpy(proposal.tensors["fc.weight"]), other["fc.weight"].float())


def test_parameters_and_views_are_read_as_their_values(tmp_path):
    net = randomized(Chenyaofo(8, width=4))
    views = dict(net.named_parameters()) | dict(net.named_buffers())
    views["fc.weight"] = net.fc.weight.t().contiguous().t()
    torch.save(views, tmp_path / "file")
    assert torch.equal(torch.from_numpy(examine(tmp_path / "file").tensors["fc.weight"]), net.fc.weight)


def test_what_is_open_is_asked_with_the_repositorys_own_choice_first(tmp_path):
    def proposed(net):
        torch.save(net.state_dict(), tmp_path / "file")
        return examine(tmp_path / "file")

    own = proposed(Akamaster(8, "A", 4))
    assert own.questions == ("normalization", "shortcut")
    assert own.normalizations[0] == "imagenet" and own.shortcuts == ("A-both", "A-behind", "none")
    assert own.net("none") == ResNetConfig(8, "none", width=4)
    assert own.net() == own.net("A-both") == own.net("A-behind") == ResNetConfig(8, "A", width=4)
    assert proposed(Chenyaofo(8, 10, 4)).normalizations[0] == "cifar10-short-std"
    hundred = proposed(Chenyaofo(8, 100, 4))
    assert hundred.normalizations[0] == "cifar100" and hundred.questions == ("normalization",)
    assert len(set(hundred.normalizations)) == len(hundred.normalizations) > 5


@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C"])
@pytest.mark.parametrize("key, mean, std", [("pixel-mean", (3, 32, 32), None), ("cifar10", (3, 1, 1), (3, 1, 1)), ("own", (3, 1, 1), None)])
def test_a_file_of_ours_leaves_nothing_open(shortcut, key, mean, std, tmp_path):
    config = ResNetConfig(8, shortcut, width=4)
    tensors = build_model(config).state_dict()
    if key == "own":
        given = [torch.full(mean, 0.25), None]
    else:
        given = [None if array is None else torch.from_numpy(array) for array in NORMALIZATIONS[key].arrays()]
    assert [None if tensor is None else tuple(tensor.shape) for tensor in given] == [mean, std]
    save_weights(tmp_path / "file", tensors, *given, config, key)
    proposal = examine(tmp_path / "file")
    assert (proposal.layout, proposal.model, proposal.questions) == ("resnet-lab", config, ())
    assert proposal.normalizations == (OWN if key == "own" else key,)
    assert (proposal.mean == given[0].numpy()).all() and (proposal.std is None) == (std is None)
    assert proposal.notes == () and not any(name.startswith("normalization") for name in proposal.tensors)


@pytest.mark.parametrize("key", ["pixel-mean", "cifar10"])
def test_a_normalisation_goes_by_its_name_only_if_it_is_that(key, tmp_path):
    config = ResNetConfig(8, "A", width=4)
    mean, std = (None if array is None else torch.from_numpy(array) for array in NORMALIZATIONS[key].arrays())
    save_weights(tmp_path / "file", build_model(config).state_dict(), mean + 0.01, std, config, key)
    assert examine(tmp_path / "file").normalizations == (OWN,)


def test_one_net_under_two_options_is_the_one_that_the_file_says(tmp_path):
    for shortcut in ("B", "C"):
        config = ResNetConfig(11, shortcut, width=4, block="bottleneck")
        tensors = build_model(config).state_dict()
        save_weights(tmp_path / shortcut, tensors, torch.zeros(3, 1, 1), None, config, "own")
        assert examine(tmp_path / shortcut).model == config
        save_file(tensors, tmp_path / "bare")
        assert examine(tmp_path / "bare").shortcuts == ("B",)


def test_a_runs_checkpoint_does_not_say_its_shortcut(tmp_path):
    save_file(build_model(ResNetConfig(8, "none", width=4)).state_dict(), tmp_path / "file")
    proposal = examine(tmp_path / "file")
    assert proposal.shortcuts == ("A-behind", "A-both", "none") and proposal.normalizations[0] == "pixel-mean"


def test_how_a_reader_ends_is_told():
    def told(status, started, kind):
        error = process._failure(status, started)
        assert type(error) is kind and ("no fault of the file" in str(error)) == (kind is ReaderFailed)
        return str(error)

    assert "took too long" in told(None, True, ImportRefused)
    assert "of computing" in told(-24, True, ImportRefused)
    assert "signal 11, SIGSEGV" in told(-11, True, ImportRefused)
    assert "exit status 1" in told(1, True, ImportRefused)
    assert "ended before it began (exit status 1)" in told(1, False, ReaderFailed)
    assert "where memory is short" in told(-9, True, ReaderFailed)
    assert "no room" in told(process.NO_ROOM, True, ReaderFailed)


def test_an_archive_without_checksums_is_read_and_told(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(state(), tmp_path / "file")
    finally:
        torch.serialization.set_crc32_options(True)
    proposal = examine(tmp_path / "file")
    assert proposal.notes == ("Its zip archive was written without checksums: damage would not be noticed.",)
    assert torch.equal(torch.from_numpy(proposal.tensors["fc.weight"]), state()["fc.weight"])


def test_torch_reads_what_was_checked(tmp_path):
    """One flipped bit of the table of contents calls an entry a folder: Python reads it all the same, torch makes up its values."""
    torch.save(state(), tmp_path / "whole")
    content = bytearray((tmp_path / "whole").read_bytes())
    at = content.rindex(b"whole/data/3")
    assert content[at - 46 : at - 42] == b"PK\x01\x02"
    content[at - 46 + 38] ^= 0x10
    (tmp_path / "file").write_bytes(content)
    found, expected = examine(tmp_path / "file").tensors, examine(tmp_path / "whole").tensors
    assert all(np.array_equal(found[key], array) for key, array in expected.items())


def test_what_began_as_one_form_is_not_read_as_another(tmp_path):
    """An archive behind a file of the old form was not checked, so it is not read."""
    legacy({**state(), "fc.bias": torch.arange(10.0)}, tmp_path / "old")
    torch.save(state(), tmp_path / "zip")
    (tmp_path / "file").write_bytes((tmp_path / "old").read_bytes() + (tmp_path / "zip").read_bytes())
    assert examine(tmp_path / "file").tensors["fc.bias"].tolist() == list(range(10))


@pytest.mark.parametrize("every", [1, 7])
def test_no_flipped_bit_of_an_archive_goes_unnoticed_among_the_weights(every, tmp_path):
    """Wherever it is: either the file is refused, or not one weight differs."""
    torch.save(state(), tmp_path / "whole")
    content, random = (tmp_path / "whole").read_bytes(), np.random.default_rng(every)
    expected, refused = examine(tmp_path / "whole").tensors, 0
    for _ in range(60):
        changed = bytearray(content)
        for at in random.integers(0, len(content), every):
            changed[at] ^= 1 << int(random.integers(8))
        (tmp_path / "file").write_bytes(changed)
        try:
            found = examine(tmp_path / "file").tensors
        except ImportRefused:
            refused += 1
            continue
        assert all(np.array_equal(found[key], array) for key, array in expected.items())
    assert refused > 30
