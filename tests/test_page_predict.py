"""Predict: the page shows the core's numbers, explains the target that was asked for, and survives whatever is uploaded."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from pages.predict import computed
from pages.predict import image as predict_image
from pages.predict.maps import target_of
from pages.ui import analyses
from pages.ui import parameter_widgets as widgets
from pages.ui.jobs import JOBS
from resnet_core import data
from resnet_core.analysis import prediction
from resnet_core.analysis.protocols import PROTOCOLS
from resnet_core.architectures import ImageNetConfig, ResNetConfig
from resnet_core.attribution import METHODS, layers_of
from resnet_core.attribution.compute import attribute
from resnet_core.config import DataConfig
from resnet_core.data import CLASSES
from resnet_core.images import HOWS
from resnet_core.nets import find
from resnet_core.nets.loading import load
from resnet_core.runs import RunStore
from tests.analysis_tools import DEEPER, PLAIN, RESIDUAL, address, figures, said, ship, shipped
from tests.bad_images import CASES
from tests.nets_tools import elsewhere, write_checkpoint
from tests.page_tools import app, array, opened

__all__ = ["shipped"]

#: Widgets of the session, by the kind of a parameter.
KINDS = {"int": "number_input", "float": "number_input", "choice": "selectbox", "layer": "selectbox"}


@pytest.fixture
def page(root: Path, monkeypatch: pytest.MonkeyPatch, shipped: Path) -> AppTest:
    return app(root, monkeypatch, "predict/page.py")


@pytest.fixture
def nets(shipped: Path) -> list[str]:
    """Two small nets of different depths."""
    ship(shipped, "plain-20", PLAIN)
    write_checkpoint(shipped, "resnet-56", DEEPER, seed=5)
    return ["plain-20", "resnet-56"]


def test_image(index: int) -> np.ndarray:
    return data.load(DataConfig()).test.images[index].permute(1, 2, 0).contiguous().numpy()


test_image.__test__ = False


def bars(page: AppTest) -> list[tuple[list[str], np.ndarray]]:
    """Of each net the classes and probabilities of its bars."""
    return [([name.split(" (")[0] for name in t["customdata"]], array(t["x"])) for t in figures(page)[0] if "customdata" in t]


def notes(page: AppTest) -> list[str]:
    """What stands under each map."""
    return [text for each in page.caption if (text := each.value.replace("\\", "")).startswith("for ")]


def test_without_nets_it_says_where_to_begin(page: AppTest):
    opened(page)
    assert "There is no net to look into yet" in page.info[0].value
    assert not page.get("bidi_component") and not page.selectbox


@pytest.mark.parametrize("key", ["single", "padded-crops", "ten-crops", "five-scales"])
def test_bars_are_the_cores_numbers(page: AppTest, nets: list[str], key: str):
    opened(page, image="17", crops=PROTOCOLS[key].title)
    assert address(page, "nets") == nets
    drawn = bars(page)
    assert len(drawn) == 2
    for name, (classes, values) in zip(nets, drawn, strict=True):
        expected = prediction.predict(load(find(name), precision="fp32"), prediction.stack([test_image(17)]), key)[0]
        best = prediction.top(expected)
        assert classes == [CLASSES[i] for i, _ in best]
        np.testing.assert_allclose(values, [p for _, p in best], rtol=1e-5)
    label = CLASSES[int(data.load(DataConfig()).test.labels[17])]
    assert f"test image 17: {label}" in said(page)


def test_a_map_of_one_view_says_so_where_ten_crops_say_otherwise(page: AppTest, nets: list[str]):
    loaded = [load(find(name), precision="fp32") for name in nets]
    images = data.load(DataConfig()).test.images
    one, ten = ([prediction.predict(net, images[:200], key).argmax(1) for net in loaded] for key in ("single", "padded-crops"))
    index = next(i for i in range(200) if one[0][i] != ten[0][i])
    opened(page, image=str(index), crops="ten padded crops", method="Saliency")
    for note, single, mean in zip(notes(page), one, ten, strict=True):
        alone, said_by_bars = CLASSES[single[index]], CLASSES[mean[index]]
        expected = "its prediction" if alone == said_by_bars else f"its prediction by several views; by this view alone {alone}"
        assert note.split(" ·")[0] == f"for {said_by_bars} ({expected})"
    page.selectbox(key="crops").set_value("one view").run()
    assert notes(page)[0].split(" ·")[0] == f"for {CLASSES[one[0][index]]} (its prediction)"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"image": "7777"}, "The link asks for test image “7777”. It goes from 0 to 999."),
        ({"image": "-5"}, "test image “-5”"),
        ({"data": "CIFAR-10", "image": "7"}, "test images of “CIFAR-10”. CIFAR-10 is not on this machine: the Train page"),
        ({"which": "nonsense"}, "which images “nonsense”. There is no such choice here."),
        ({"method": "nonsense"}, "the method “nonsense”"),
        ({"method": "Grad-CAM", "layer": "layer9.9"}, "layer “layer9.9”"),
        ({"steps": "100000"}, "steps “100000”. It goes from"),
        ({"target": "foo"}, "the target “foo”"),
        ({"target": "a class of my choice", "explain": "<b>unicorn"}, "the class “<b>unicorn”"),
        ({"crops": "7"}, "views “7”"),
        ({"from": "the moon"}, "an image from “the moon”"),
    ],
)
def test_a_link_that_cannot_be_followed_says_what_it_asked_for(page: AppTest, nets: list[str], monkeypatch, asked: dict, told: str):
    monkeypatch.setattr(analyses, "is_here", lambda config, where: config.is_embedded)
    opened(page, **asked)
    warnings = [each.value.replace("\\", "") for each in page.warning if "The link asks for" in each.value]
    assert len(warnings) == 1 and told in warnings[0] and "Something else is shown." in warnings[0]
    assert bars(page) and not page.error


def test_a_good_link_is_followed_without_a_word(page: AppTest, nets: list[str]):
    opened(page, image="17", method="Occlusion", window="4", which="a net is wrong", target="the true class", crops="ten padded crops")
    assert not page.warning and (page.number_input(key="image").value, page.number_input(key="window").value) == (17, 4)


def test_each_map_is_of_the_target_that_was_asked_for(page: AppTest, nets: list[str]):
    opened(page, image="17")
    loaded = [load(find(name), precision="fp32") for name in nets]
    image = torch.from_numpy(test_image(17)).permute(2, 0, 1)
    own = [int(net.logits(image[None])[0].argmax()) for net in loaded]
    assert own[0] != own[1]  # else nothing is tested here
    assert [note.split(" ·")[0] for note in notes(page)] == [f"for {CLASSES[i]} (its prediction)" for i in own]

    true = int(data.load(DataConfig()).test.labels[17])
    for chosen, target in (("the true class", true), ("a class of my choice", 4)):
        page.selectbox(key="target").set_value({"the true class": "true"}.get(chosen, "another")).run()
        if target == 4:
            page.selectbox(key="explain").set_value(CLASSES[4]).run()
        deltas = [attribute(net, image, "integrated-gradients", target).delta for net in loaded]
        for note, delta, mine in zip(notes(page), deltas, own, strict=True):
            assert note.startswith(f"for {CLASSES[target]}{' (its prediction)' if mine == target else ''} ·")
            assert f"convergence delta {delta:.2g} of" in note


def test_a_class_of_ones_own_choice_is_chosen_and_stays_whatever_the_image(page: AppTest, nets: list[str]):
    opened(page, image="17")
    page.selectbox(key="target").set_value("another").run()
    # Nothing stands in for what has not been chosen: a link does not say it, and would ask for another class at another image.
    assert page.selectbox(key="explain").value is None and not notes(page)
    assert [each.value.replace("\\", "") for each in page.info] == ["Choose the class to explain above."] * 2
    page.selectbox(key="explain").set_value("frog").run()
    page.button(key="predict.Next").click().run()
    assert page.selectbox(key="explain").value == "frog" and [note.split()[1] for note in notes(page)] == ["frog", "frog"]


def test_nets_disagree_holds_as_soon_as_it_is_chosen(page: AppTest, nets: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(computed, "AT_ONCE", 0)  # however long it takes
    opened(page)
    page.selectbox(key="which").set_value("nets disagree").run()
    answers = [prediction.predict(load(find(name), precision="fp32"), data.load(DataConfig()).test.images) for name in nets]
    differ = prediction.disagreements(answers)
    assert 0 < len(differ) < 1000 and any(f"{len(differ):,} of 1,000 images." in each.value for each in page.caption)
    assert page.number_input(key="image").value in differ
    page.button(key="predict.another").click().run()
    assert page.number_input(key="image").value in differ


def test_a_second_upload_is_shown_and_a_refusal_stands_on_the_page_itself(page: AppTest, nets: list[str]):
    opened(page, **{"from": "upload"})
    files = [(name, CASES[case].content(), "image/png") for name, case in (("a.png", "png"), ("b.png", "greyscale png"))]
    page.file_uploader(key="predict.files").set_value(files[:1]).run()
    assert "**a.png**" in said(page)
    assert "names one of them for any picture" in said(page)
    page.segmented_control(key="from").set_value("test set").run()
    page.session_state["predict.changed"] = True  # as a run leaves it that was cut short just after it drew the uploader
    page.segmented_control(key="from").set_value("upload").run()
    assert "**a.png**" in said(page)  # it is kept
    page.file_uploader(key="predict.files").set_value([files[1], ("bomb.png", CASES["bomb"].content(), "image/png")]).run()
    assert "**b.png**" in said(page) and "**a.png**" not in said(page)
    assert [each.value.replace("\\", "").partition(" ")[0] for each in page.main.error] == ["bomb.png"] and not page.sidebar.error
    page.segmented_control(key="from").set_value("test set").run()
    assert "names one of them for any picture" not in said(page)


def test_what_is_kept_does_not_wait_for_another_viewers_computation(page: AppTest, nets: list[str]):
    opened(page, image="17", method="Saliency")
    gate = threading.Event()
    other = JOBS.start("another viewer's", "another", lambda job: gate.wait())
    try:
        page.selectbox(key="crops").set_value("ten padded crops").run()  # light
        page.selectbox(key="crops").set_value("one view").run()  # kept
        assert not page.exception and len(bars(page)) == 2 and len(notes(page)) == 2 and other.is_active
    finally:
        gate.set()


def test_a_target_that_a_net_does_not_have_is_not_replaced():
    assert target_of("predicted", None, 3, 5, CLASSES, CLASSES) == (3, "")
    assert target_of("true", None, 3, 5, CLASSES, CLASSES) == (5, "")
    assert target_of("another", "frog", 3, 5, CLASSES, CLASSES) == (CLASSES.index("frog"), "")
    missing, why = target_of("true", None, 3, None, CLASSES, CLASSES)
    assert missing is None and "not known" in why
    foreign = prediction.class_names(elsewhere(1000))
    assert target_of("predicted", None, 17, None, foreign, CLASSES) == (17, "")
    for kind, name in (("true", None), ("another", "frog")):
        missing, why = target_of(kind, name, 3, 5, foreign, CLASSES)
        assert missing is None and "does not know" in why


@pytest.mark.parametrize("key", METHODS)
def test_widgets_are_those_of_the_declaration(page: AppTest, nets: list[str], key: str):
    method = METHODS[key]
    opened(page, method=method.label)
    assert page.selectbox(key="method").value == key
    for parameter in method.parameters:
        widget = getattr(page, KINDS[parameter.kind])(key=parameter.name)
        if parameter.kind == "int":
            assert (widget.min, widget.max, widget.step) == (parameter.minimum, parameter.maximum, parameter.step)
        if parameter.kind == "choice":
            assert widget.options == [title for _, title in parameter.choices]
        if parameter.kind != "layer":
            assert widget.value == parameter.default
    declared = {parameter.name for each in METHODS.values() for parameter in each.parameters}
    there = {widget.key for widget in [*page.selectbox, *page.number_input]}
    assert there & declared == {parameter.name for parameter in method.parameters}
    assert [method.warning] * bool(method.warning) == [each.value.replace("\\", "") for each in page.warning]
    assert len(notes(page)) == 2 and method.source in said(page)


def test_a_link_restores_method_layer_and_parameters(page: AppTest, nets: list[str]):
    opened(page, method="Grad-CAM", layer="layer2.1", image="3", which="nets disagree")
    own, foreign = page.info, notes(page)
    assert [each.split(" · ")[1] for each in foreign] == ["layer2.1"]  # the deeper net has it
    assert "no such layer" in own[0].value  # the other is told so, and nothing stands in
    page.selectbox(key="layer").set_value("layer2").run()
    assert [each.split(" · ")[1] for each in notes(page)] == ["layer2.0", "layer2.1"]
    answers = [prediction.predict(load(find(name), precision="fp32"), data.load(DataConfig()).test.images) for name in nets]
    assert f"{len(prediction.disagreements(answers)):,} of 1,000 images" in said(page)


def test_parameters_that_do_not_go_together_are_said_and_nothing_is_drawn(page: AppTest, nets: list[str]):
    opened(page, method="Occlusion", window="4")
    page.number_input(key="stride").set_value(8).run()
    assert "more than the window of 4" in page.error[0].value and notes(page) == []
    assert bars(page)  # the page is intact


def test_layers_that_are_offered_and_what_a_place_means():
    class Of:
        def __init__(self, model):
            self.model = model

    small, deep, other = Of(RESIDUAL), Of(ResNetConfig(20, "A")), Of(ImageNetConfig((2, 2, 2, 2), "basic", 10))
    options = widgets.layer_options([small, deep, other])
    assert options[0] == widgets.LAST and set(layers_of(deep.model)) <= set(options)
    (layer,) = METHODS["grad-cam"].parameters
    for option, net, expected in (
        ("last", deep, "layer3.2"), ("layer2", deep, "layer2.2"), ("layer2", small, "layer2.0"), ("layer1.1", deep, "layer1.1"),
        ("relu", small, "relu"),
    ):  # fmt: skip
        assert widgets.resolved({"layer": option}, [layer], net) == {"layer": expected}
    assert widgets.resolved({"layer": "layer2.1"}, [layer], small) == {"layer": "layer2.1"}  # to be refused


def test_infidelity_sensitivity_and_the_sanity_check(page: AppTest, nets: list[str]):
    opened(page, method="Saliency", image="3")
    page.button(key="predict.measure").click().run()
    assert not page.exception and not page.error
    table = next(each.value for each in page.markdown if "| Infidelity |" in each.value)
    assert table.count("\n| ") == 2
    page.segmented_control(key="check").set_value("sanity check").run()
    page.button(key="predict.randomise").click().run()
    assert not page.exception and not page.error
    curves = figures(page)[1]
    assert [len(array(curve["y"])) for curve in curves] == [6, 9]  # as it is, fc, blocks, conv1
    assert all(array(curve["y"])[0] == pytest.approx(1) for curve in curves)


def test_neighbours_are_found_after_one_click_and_then_at_once(page: AppTest, nets: list[str], tmp_path: Path):
    opened(page, image="3")
    page.button(key="predict.index").click().run()
    assert "predict.index" not in [button.key for button in page.button]
    assert len(list((tmp_path / "runs" / ".cache" / "features").glob("*.safetensors"))) == 2
    drawn = [list(each.proto.imgs) for each in page.image if len(each.proto.imgs) > 1]
    assert [len(pictures) for pictures in drawn] == [6, 6]
    for pictures in drawn:
        distances = [float(picture.caption.rpartition("·")[2]) for picture in pictures]
        assert distances == sorted(distances) and distances[0] > 0
    page.number_input(key="image").set_value(4).run()
    assert not page.error and "predict.index" not in [button.key for button in page.button]


def test_what_takes_long_is_said_before_it_begins(page: AppTest, nets: list[str], monkeypatch: pytest.MonkeyPatch):
    opened(page)
    assert "takes long" not in said(page)
    monkeypatch.setattr("resnet_core.imports.cost.HEAVY", 1.0)
    monkeypatch.setattr(computed, "AT_ONCE", 0)
    page.selectbox(key="which").set_value("nets disagree").run()
    # Asking of all test images, the infidelity and sensitivity of the map that is there, the features of the training images.
    assert said(page).count("This takes long") == 3 and "Asked of one view each" not in said(page)
    (button,) = [button for button in page.button if button.label == "Compute it"]
    button.click().run()
    assert said(page).count("This takes long") == 3 - 1 and not page.exception
    page.segmented_control(key="check").set_value("sanity check").run()
    assert said(page).count("This takes long") == 2
    page.selectbox(key="method").set_value("saliency").run()
    assert "This takes long" in said(page) and [button for button in page.button if button.key == "predict.compute"]


def test_a_session_keeps_few_nets_where_they_are_large(page: AppTest, nets: list[str], monkeypatch: pytest.MonkeyPatch):
    opened(page, nets=nets)
    assert len(page.session_state["predict.nets"]) == 2
    monkeypatch.setattr(computed, "_MOST_NET_BYTES", 1)
    write_checkpoint(RunStore().home / ".imported", "from-elsewhere", RESIDUAL)
    opened(page, nets=[*nets, "from-elsewhere"])
    assert list(page.session_state["predict.nets"]) == [(find("from-elsewhere").version, "fp32")]


@pytest.mark.parametrize("name", CASES)
def test_an_upload_is_read_or_refused_in_words(name: str):
    case = CASES[name]
    found = predict_image.read(case.content(), case.name)
    if case.refused is not None:
        assert isinstance(found, str)
        return
    assert all({side: made.shape for side, made in found[how].items()} == {32: (32, 32, 3), 224: (224, 224, 3)} for how in HOWS)
    assert found["original"].startswith(b"\x89PNG")
    assert len(found["notes"]) == len(case.notes)


def test_several_uploads_the_bad_ones_named_and_a_picker_among_the_rest(page: AppTest, nets: list[str], tmp_path: Path):
    opened(page, **{"from": "upload"})
    assert "Choose an image or several" in page.info[0].value
    evil = "<img src=x onerror=alert(1)>*bold*.png"
    files = [(name, CASES[case].content(), "image/png") for name, case in (("a.png", "png"), (evil, "greyscale png"), ("bomb.png", "bomb"))]
    uploader = page.file_uploader(key="predict.files")
    uploader.set_value(files).run()
    assert not page.exception
    assert "declares 30,000 x 30,000" in page.error[0].value.replace("\\", "") and len(page.error) == 1
    text = said(page)
    assert "**a.png**" in text and "48x40 pixels: the square in its centre" in text
    (expected,) = prediction.predict(load(find("plain-20"), precision="fp32"), prediction.stack([upload_input("png", "crop")]))
    np.testing.assert_allclose(bars(page)[0][1], [p for _, p in prediction.top(expected)], rtol=1e-5)
    page.radio(key="how").set_value("fit").run()
    (expected,) = prediction.predict(load(find("plain-20"), precision="fp32"), prediction.stack([upload_input("png", "fit")]))
    np.testing.assert_allclose(bars(page)[0][1], [p for _, p in prediction.top(expected)], rtol=1e-5)

    picker = page.selectbox(key="predict.picked")
    picker.set_value(page.session_state["predict.picked"]).select_index(1).run()
    assert not page.exception and "greyscale" in said(page)
    told = [each.value for each in [*page.markdown, *page.caption] if "<img" in each.value]
    assert told and not any(re.search(r"(?<!\\)[<*(]", each.strip("*")) for each in told)  # all of it escaped
    true = next(each for each in page.selectbox if str(each.key).startswith("predict.true."))
    true.set_value("cat").run()
    page.selectbox(key="target").set_value("true").run()
    assert [note.split(" ·")[0].removesuffix(" (its prediction)") for note in notes(page)] == ["for cat"] * 2

    uploader = page.file_uploader(key="predict.files")
    uploader.set_value([("<b>*x*_.png", b"no image", "image/png")]).run()
    assert "<b>" not in page.error[0].value and not page.get("bidi_component")
    assert len(page.session_state["predict.uploads"]) == 1  # those that were taken away are gone
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".png", ".webp", ".jpg")]


def test_all_pictures_that_were_uploaded_stand_in_one_table(page: AppTest, nets: list[str]):
    opened(page, **{"from": "upload"})
    cases = ("png", "greyscale png", "alpha png")
    files = [(f"{k}.png", CASES[case].content(), "image/png") for k, case in enumerate(cases)]
    page.file_uploader(key="predict.files").set_value(files).run()
    assert "All 3 pictures" in [each.value for each in page.header]
    (table,) = [each.value for each in page.dataframe]
    assert list(table["name"]) == ["0.png", "1.png", "2.png"]
    labels = [column for column in table.columns if column not in ("picture", "name")]
    assert [each["true"] for each in page.session_state["predict.uploads"].values() if "true" in each] == [None]  # of the one that is shown
    for name, column in zip(nets, labels, strict=True):
        inputs = prediction.stack([upload_input(case, "crop") for case in cases])
        expected = prediction.predict(load(find(name), precision="fp32"), inputs).argmax(1)
        assert [cell.rpartition(" ")[0].rpartition(" ")[0] for cell in table[column]] == [CLASSES[i] for i in expected]

    true = next(each for each in page.selectbox if str(each.key).startswith("predict.true."))
    true.set_value("cat").run()
    page.selectbox(key="predict.picked").select_index(1).run()
    held = list(page.session_state["predict.uploads"].values())
    assert [each.get("true") for each in held] == ["cat", None, None]  # what was said of the first is not forgotten


def upload_input(case: str, how: str, side: int = 32) -> np.ndarray:
    return predict_image.read(CASES[case].content(), CASES[case].name)[how][side]
