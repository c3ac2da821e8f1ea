"""The declarations: what widgets and options are made from, and what they refuse."""

from __future__ import annotations

import pytest
import torch

from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.attribution import METHODS, TRUST, cascade_steps, default_layer, layer_shapes, layers_of
from resnet_core.attribution.compute import _COMPUTE, attribute, passes
from resnet_core.attribution.sanity import cascade
from resnet_core.attribution.trust import infidelity, sensitivity
from resnet_core.errors import ConfigError, Stopped
from tests.attribution_tools import KINDS, made, sample

ALL_PARAMETERS = [each for group in [*(method.parameters for method in METHODS.values()), *TRUST.values()] for each in group]


def test_what_is_declared_is_what_is_computed():
    assert list(METHODS) == list(_COMPUTE) == ["integrated-gradients", "grad-cam", "occlusion", "saliency", "guided-grad-cam"]
    assert [key for key, method in METHODS.items() if method.warning] == ["guided-grad-cam"]
    assert "Adebayo et al. 2018" in METHODS["guided-grad-cam"].warning
    for key, method in METHODS.items():
        assert (method.key, bool(method.label and method.source and method.meaning and method.channels)) == (key, True)


@pytest.mark.parametrize("key", METHODS)
def test_progress_is_told_of_all_passes_and_a_request_to_stop_is_heard(key):
    loaded, image, told = made("A"), sample().test.images[0], []
    attribute(loaded, image, key, 1, progress=lambda *part: told.append(part))
    (total,) = {total for _, total in told}
    begun = [done for done, _ in told]
    assert begun == sorted(begun) and begun[0] == 0 and begun[-1] < total
    with pytest.raises(Stopped):
        attribute(loaded, image, key, 1, should_stop=lambda: True)


@pytest.mark.parametrize("parameter", ALL_PARAMETERS, ids=lambda p: p.name)
def test_defaults_and_ends_are_possible_and_what_lies_beyond_is_not(parameter):
    model = ResNetConfig(20, "A")
    assert parameter.help and parameter.label
    default = parameter.check(None, model)
    assert parameter.check(default, model) == default
    if parameter.kind in ("int", "float"):
        assert parameter.check(parameter.minimum, model) == parameter.minimum
        assert parameter.check(parameter.maximum, model) == parameter.maximum
        wrong = [parameter.minimum - 1, parameter.maximum + 1, float("nan"), "3", True]
    else:
        wrong = ["nothing", 3]
    for value in wrong:
        with pytest.raises(ConfigError, match=f"^{parameter.name}: ") as told:
            parameter.check(value, model)
        assert told.value.field == parameter.name


def test_a_window_is_of_the_same_part_of_a_larger_image():
    small, large = ResNetConfig(20, "A"), ImageNetConfig()
    occlusion = METHODS["occlusion"]
    assert [occlusion.complete({}, model)["window"] for model in (small, large)] == [6, 42]
    assert [occlusion.complete({}, model)["stride"] for model in (small, large)] == [2, 14]
    assert [passes("occlusion", occlusion.complete({}, model), side) for model, side in ((small, 32), (large, 224))] == [197, 197]
    assert occlusion.complete({"window": 224, "stride": 224}, large)["window"] == 224
    with pytest.raises(ConfigError, match=r"^window: 225 is out of range; it must be from 1 to 224"):
        occlusion.complete({"window": 225}, large)
    with pytest.raises(ConfigError, match=r"^window: 33 is out of range; it must be from 1 to 32"):
        occlusion.complete({"window": 33}, small)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_and_their_maps_are_those_of_the_net(kind):
    config, _ = KINDS[kind]
    model = build_model(config).eval()
    found = {}
    for name in layers_of(config):
        model.get_submodule(name).register_forward_hook(lambda module, args, output, name=name: found.__setitem__(name, output.shape[1:3]))
    model(torch.zeros(1, *model.plan.input))
    assert list(found) == layers_of(model)  # in the order of the forward pass
    assert {name: tuple(shape) for name, shape in found.items()} == layer_shapes(config)


def test_the_default_layer_is_the_last_with_a_map():
    assert default_layer(ResNetConfig(20, "A")) == "layer3.2"
    assert default_layer(ResNetConfig(110, "none")) == "layer3.17"
    assert default_layer(ImageNetConfig((2, 2, 2, 2))) == "layer4.1"
    small = build_model(ImageNetConfig((2, 2, 2, 2), width=4))
    small.side = 32
    assert default_layer(small) == "layer2.1"  # layer3 has 2x2 pixels, layer4 one


def test_the_cascade_goes_from_the_top_down_in_a_bounded_number_of_steps():
    labels = [step.label for step in cascade_steps(ResNetConfig(20, "A"))]
    assert labels == ["fc", *(f"layer{stage}.{block}" for stage in (3, 2, 1) for block in (2, 1, 0)), "conv1"]
    deep = cascade_steps(ResNetConfig(56, "A"))
    assert [step.label for step in deep[:4]] == ["fc", "layer3.6–8", "layer3.3–5", "layer3.0–2"]
    assert len(deep) == len(cascade_steps(ResNetConfig(1202, "none"))) == 11
    assert len(cascade_steps(ResNetConfig(56, "A"), per_stage=1)) == 5
    assert len(cascade_steps(ImageNetConfig((2, 2, 2, 2)))) == 10


@pytest.mark.parametrize("per_stage", [1, 2, 3, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_the_cascade_reaches_every_weight_once(kind, per_stage):
    config, _ = KINDS[kind]
    modules = [module for step in cascade_steps(config, per_stage) for module in step.modules]
    for name in build_model(config).state_dict():
        assert sum(name.startswith(f"{module}.") for module in modules) == 1, name


WRONG = [
    ("gradcam", 0, {}, "method", "'gradcam' is not one of integrated-gradients, grad-cam"),
    ("saliency", 10, {}, "target", "10 is out of range; the net's classes are 0 to 9"),
    ("saliency", -1, {}, "target", "-1 is out of range"),
    ("saliency", "cat", {}, "target", "'cat' is not the number of a class"),
    ("saliency", True, {}, "target", "True is not the number of a class"),
    ("saliency", 0, {"steps": 50}, "steps", "Saliency has no such parameter; it has channels"),
    ("integrated-gradients", 0, {"steps": 1}, "steps", "from 2 to 500"),
    ("integrated-gradients", 0, {"steps": 2.5}, "steps", "2.5 is not a whole number"),
    ("integrated-gradients", 0, {"baseline": "white"}, "baseline", "'white' is not one of mean, black"),
    ("grad-cam", 0, {"layer": "layer9.9"}, "layer", "'layer9.9' is not one of relu, layer1.0"),
    ("occlusion", 0, {"window": 33}, "window", "from 1 to 32"),
    ("occlusion", 0, {"window": 4, "stride": 5}, "stride", "5 is more than the window of 4"),
    ("saliency", 0, {"channels": "mean"}, "channels", "'mean' is not one of maximum, sum"),
]


@pytest.mark.parametrize(("key", "target", "parameters", "field", "message"), WRONG)
@pytest.mark.parametrize("call", [attribute, cascade], ids=["attribute", "cascade"])
def test_what_is_out_of_range_is_named_at_once(call, key, target, parameters, field, message):
    with pytest.raises(ConfigError) as told:
        call(made("A"), sample().test.images[0], key, target, **parameters)
    assert told.value.field == field
    assert message in str(told.value)


def test_the_classes_of_a_net_with_others_are_its_own():
    assert attribute(made("3 classes"), sample().test.images[0], "saliency", 2).target == 2
    with pytest.raises(ConfigError, match="target: 3 is out of range; the net's classes are 0 to 2"):
        attribute(made("3 classes"), sample().test.images[0], "saliency", 3)


@pytest.mark.parametrize(
    ("call", "parameters", "message"),
    [
        (infidelity, {"samples": 1}, "samples: 1 is out of range"),
        (infidelity, {"seed": -1}, "seed: -1"),
        (sensitivity, {"radius": 0.0}, "radius: 0 is out of range"),
        (sensitivity, {"samples": 0}, "samples: 0"),
    ],
)
def test_measures_refuse_what_is_out_of_range(call, parameters, message):
    loaded, image = made("A"), sample().test.images[0]
    found = attribute(loaded, image, "saliency", 0)
    with pytest.raises(ConfigError, match=message):
        call(loaded, image, found, **parameters)


@pytest.mark.parametrize("parameters", [{"seed": -1}, {"per_stage": 0}])
def test_the_cascade_refuses_what_is_out_of_range(parameters):
    with pytest.raises(ConfigError, match=next(iter(parameters))):
        cascade(made("A"), sample().test.images[0], "saliency", 0, **parameters)
