"""What a file leaves open is tried on training images of the sample: the suggestion, what was as good, what is doubtful."""

import dataclasses

import pytest
import torch
import torchvision
from safetensors.torch import load_file

from resnet_core import data
from resnet_core.activations import MOST
from resnet_core.architectures import ImageNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig
from resnet_core.imports import Proposal, accept
from resnet_core.imports.trial import Attempt, Trial, measure, trial
from resnet_core.nets import NORMALIZATIONS
from resnet_core.nets.folder import WEIGHTS
from resnet_core.nets.loading import load
from tests.imports_nets import Chenyaofo, randomized
from tests.imports_tools import learned_net, proposal_of, stub  # noqa: F401  a fixture among them


def test_the_trial_finds_what_the_net_was_made_for(learned, tmp_path):
    proposal = proposal_of(learned, tmp_path / "net.th")
    seen = []
    found = trial(proposal, lambda done, total: seen.append((done, total)), precision="fp32")
    shortcuts = ("A-both", "A-behind", "none")
    assert {(a.normalization, a.shortcut) for a in found.attempts} == {(n, s) for n in NORMALIZATIONS for s in shortcuts}
    assert (found.suggested.normalization, found.suggested.shortcut) == ("imagenet", "A-both")
    assert found.attempts[0] is found.suggested and found.suggested.error < 70
    assert [a.error for a in found.attempts[1:]] == sorted(a.error for a in found.attempts[1:])
    assert found.find("imagenet", "none").error > found.suggested.error + 5
    assert found.find("imagenet", "A-behind").error > found.suggested.error + 5
    assert found.find("none", "A-both").error > found.suggested.error + 2
    assert (found.images, found.precision, found.note) == (1000, "fp32", "")
    assert seen[-1] == (21_000, 21_000) and seen == sorted(seen)


def wrong_answers(net, split) -> float:
    """In percent, with the checkpoint as it was kept."""
    loaded = load(net, precision="fp32")
    logits = torch.cat([loaded.logits(split.images[at : at + MOST]) for at in range(0, len(split), MOST)])
    return 100.0 * (logits.argmax(1) != split.labels).float().mean().item()


def test_training_images_choose_and_the_test_images_measure_what_was_chosen(learned, tmp_path):
    proposal, sample = proposal_of(learned, tmp_path / "net.th"), data.load(DataConfig("sample"))
    for normalization, shortcut in (("imagenet", "A-both"), ("pixel-mean", "none"), ("imagenet", "A-behind")):
        tried = trial(proposal, precision="fp32", choices=[(normalization, shortcut)])
        net = accept(proposal, None, normalization, shortcut, errors=tried)
        assert wrong_answers(net, sample.train.part(0, 1000)) == pytest.approx(tried.suggested.error, abs=1e-4)
        error = wrong_answers(net, sample.test)
        assert net.card["sample_error"] == measure(proposal, normalization, shortcut).suggested.error == pytest.approx(error, abs=1e-4)
        assert (net.card["sample_images"], net.card["sample_precision"]) == (1000, "fp32")
        assert any("pad the new channels on both sides" in note for note in net.card["notes"]) == (shortcut == "A-both")


def test_the_test_images_select_nothing(learned, tmp_path, monkeypatch):
    """Whatever stands in them, the trial finds the same."""
    sample, choices = data.load(DataConfig("sample")), [("imagenet", "A-both"), ("half", "none")]
    proposal = proposal_of(learned, tmp_path / "net.th")
    found = trial(proposal, choices=choices)
    blank = dataclasses.replace(sample, test=data.Split(torch.zeros_like(sample.test.images), sample.test.labels))
    monkeypatch.setattr(data, "load", lambda config: blank)
    assert trial(proposal, choices=choices) == found
    assert measure(proposal, "imagenet", "A-both").suggested.error == 90.0  # of images that are all alike one in ten is right


def test_nets_of_other_classes_have_no_error_and_say_so(tmp_path):
    proposal = proposal_of(randomized(Chenyaofo(8, 100, 4)), tmp_path / "net.pt")
    found = trial(proposal)
    assert found.images == 0 and "100 classes" in found.note
    assert found.suggested == Attempt("cifar100", "B") and {a.error for a in found.attempts} == {None}
    net = accept(proposal, "hundred", "cifar100", errors=found)
    assert (net.card["sample_error"], net.card["sample_images"], net.test_error) == (None, 0, None)


def test_a_net_for_larger_images_is_tried_on_enlarged_ones_and_says_so():
    model = ImageNetConfig((1, 1, 1, 1), width=2, num_classes=10)
    net, tried = build_model(model).eval(), data.load(DataConfig()).train.part(0, 1000)
    tensors = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    found = trial(Proposal("net.pt", 1, "0" * 64, "torchvision", model, ("B",), ("imagenet",), (), tensors), precision="fp32")
    assert found.images == 1000 and "enlarged from 32x32 to the 224x224 pixels" in found.note
    mean, std = map(torch.from_numpy, NORMALIZATIONS["imagenet"].arrays())
    wrong = 0
    for images, labels in zip(tried.images.split(100), tried.labels.split(100), strict=True):
        enlarged = torchvision.transforms.functional.resize(images, [224, 224], antialias=True)
        with torch.no_grad():
            wrong += int((net((enlarged / 255 - mean) / std).argmax(1) != labels).sum())
    assert found.suggested.error == pytest.approx(wrong / 10, abs=0.2)


def test_a_net_that_guesses_is_told(tmp_path):
    found = trial(proposal_of(randomized(Chenyaofo(8, width=4)), tmp_path / "net.pt"), precision="fp32", choices=[("half", "B")])
    assert found.suggested.error > 80 and "better than guessing" in found.note


def test_a_close_race_is_decided_by_the_loss_and_what_was_as_good_is_told():
    """The numbers are those of a public file: in full, 10,000 images, the first has 7.51 % and the second 7.08 %."""
    race = ("imagenet", "A-both", 7.3, 0.272), ("cifar10", "A-both", 7.0, 0.258), ("half", "A-both", 8.5, 0.21)
    found = stub(*race)
    assert found.suggested.normalization == "cifar10" and [each.normalization for each in found.near] == ["imagenet"]
    assert stub(race[0], ("cifar10", "A-both", 7.0, 0.28)).suggested.normalization == "imagenet"
    assert stub(("imagenet", "A-both", 7.9, 0.1), race[1]).suggested.normalization == "cifar10"  # 0.81 points are chance's, 0.9 are not
    assert stub(("imagenet", "A-both", 7.9, 0.1), race[1], images=500).suggested.normalization == "imagenet"
    assert stub(("imagenet", "A-both", 7.0, float("nan")), ("half", "A-both", 7.1, 0.3)).suggested.normalization == "half"
    assert stub(("imagenet", "A-both", 7.0, 0.3), ("half", "A-both", 7.0, 0.3)).suggested.normalization == "imagenet"
    assert Trial((Attempt("imagenet", "B"),), Attempt("imagenet", "B"), 0).near == ()


def test_training_images_that_are_all_right_tell_no_more_than_their_number_does():
    """One wrong answer in 1,000 may be chance where another choice has none, and the loss decides; three are none."""
    perfect = ("pixel-mean", "A-behind", 0.0, 0.012)
    found = stub(perfect, ("half", "A-behind", 0.1, 0.008), ("none", "A-behind", 0.3, 0.001))
    assert found.suggested.normalization == "half" and [each.normalization for each in found.near] == ["pixel-mean"]
    found = stub(perfect, ("half", "A-behind", 0.0, 0.013), ("cifar10", "none", 90.0, 3.1))
    assert found.suggested.normalization == "pixel-mean" and [each.normalization for each in found.near] == ["half"]


def test_an_error_above_half_is_doubted():
    found = stub(("imagenet", "A-both", 50.0, 1.4), ("imagenet", "A-behind", 85.3, 4.0))
    good, bad = found.attempts
    assert found.doubt(good) == "" and found.doubt(Attempt("imagenet", "B")) == "" and found.doubt(None) == ""
    assert found.doubt(bad).startswith("85.3 % of 1,000 training images of the sample are wrong")
    for cause in ("normalised in another way", "zeros on the other side", "classes may come in another order"):
        assert cause in found.doubt(bad)


@pytest.mark.parametrize("classifier, likely", [("linear", "A-both"), ("fc", "A-behind")])
def test_the_name_of_the_classifier_does_not_settle_where_option_a_pads(classifier, likely, root, tmp_path):
    """Our ResNet-20 (4.9 % on these images, 8.5 % on the test images) under another layout's key, without a word on its input."""
    tensors = {key.replace("fc.", f"{classifier}."): value for key, value in load_file(root / "checkpoints/resnet-20" / WEIGHTS).items()}
    del tensors["normalization.mean"]
    proposal = proposal_of(tensors, tmp_path / "net.safetensors")
    assert proposal.shortcuts[0] == likely and {"A-both", "A-behind", "none"} == set(proposal.shortcuts)
    assert not any("pad" in note for note in proposal.notes)
    found = trial(proposal, precision="fp32", choices=[("pixel-mean", shortcut) for shortcut in proposal.shortcuts])
    assert found.suggested.shortcut == "A-behind" and found.suggested.error < 6
    assert found.find("pixel-mean", "A-both").error > 50 and found.doubt(found.find("pixel-mean", "A-both"))
    kept = accept(proposal, "wrong", "pixel-mean", "A-both", errors=found)
    assert any("of 1,000 training images of the sample are wrong" in note for note in kept.card["notes"])
    kept = accept(proposal, "right", "pixel-mean", "A-behind", errors=found)
    assert not any("wrong" in note or "pad" in note for note in kept.card["notes"])
    assert kept.card["sample_error"] == pytest.approx(8.5)  # of the test images, as its own card says


def test_padding_on_both_sides_is_found_whatever_the_classifier_is_called(learned, tmp_path):
    renamed = {key.replace("linear.", "fc."): value for key, value in learned.items()}
    proposal = proposal_of(renamed, tmp_path / "net.safetensors")
    assert proposal.layout == "resnet-lab" and proposal.shortcuts == ("A-behind", "A-both", "none")
    found = trial(proposal, precision="fp32", choices=[("imagenet", shortcut) for shortcut in proposal.shortcuts])
    assert found.suggested.shortcut == "A-both" and found.find("imagenet", "A-behind").error > found.suggested.error + 5
