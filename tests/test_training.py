"""The engine: schedules, records, divergence, resuming, and that a plain net and its twin see the same batches."""

import dataclasses
import math
import time

import pytest
import torch

from resnet_core.architectures import ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import DataConfig, Recipe, RunConfig
from resnet_core.data import load
from resnet_core.errors import CheckpointError, ConfigError, RunError
from resnet_core.kernels import build
from resnet_core.training import checkpoint, probe, saved, timing
from resnet_core.training.device import pick_device
from resnet_core.training.engine import Trainer
from resnet_core.training.evaluate import evaluate
from resnet_core.training.layers import layer_statistics
from resnet_core.training.plan import Plan
from resnet_core.training.probe import decide
from resnet_core.training.schedule import learning_rate
from resnet_core.training.timing import Answer

TINY = ResNetConfig(depth=8, shortcut="A", width=4)
DEVICE = pick_device()
PLAN = Plan(device=DEVICE.type, precision="fp32", threads=1)
#: Bits only repeat where sums keep their order; elsewhere the numbers are close.
EXACT = DEVICE.type == "cpu"
TIMES = {"elapsed_seconds", "images_per_second", "peak_memory_mb"}


def config(model=TINY, **recipe):
    defaults = {"iterations": 12, "batch_size": 8, "record_every": 5, "test_every": 6, "layers_every": 4, "checkpoint_every": 4}
    return RunConfig(model, DataConfig("sample"), Recipe(**defaults | recipe))


@pytest.fixture(scope="module")
def sample():
    full = load(DataConfig("sample"))
    # 60 test images are enough to see that they are evaluated, and keep this file fast.
    return dataclasses.replace(full, test=type(full.test)(full.test.images[:60], full.test.labels[:60]))


def without_times(records):
    return [{k: v for k, v in r.items() if k not in TIMES} for r in records]


# -- schedule ----------------------------------------------------------------------------------------------------------


def test_the_papers_schedule_drops_at_half_and_three_quarters():
    recipe = Recipe()  # 64k iterations
    rates = {i: learning_rate(recipe, i) for i in (0, 31_999, 32_000, 47_999, 48_000, 63_999)}
    assert [round(r, 6) for r in rates.values()] == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]


@pytest.mark.parametrize(
    "schedule, expected",
    [("constant", [1, 1, 1]), ("linear", [1, 0.5, 0.01]), ("cosine", [1, 0.5, (1 + math.cos(math.pi * 0.99)) / 2])],
)
def test_other_schedules(schedule, expected):
    recipe = Recipe(iterations=100, learning_rate=1.0, schedule=schedule)
    assert [learning_rate(recipe, i) for i in (0, 50, 99)] == pytest.approx(expected)


def test_warm_ups():
    linear = Recipe(iterations=100, learning_rate=1.0, schedule="constant", warmup="linear", warmup_iterations=4)
    assert [learning_rate(linear, i) for i in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    rule = Recipe(warmup="error")
    assert learning_rate(rule, 10, warming=True) == 0.01
    assert learning_rate(rule, 10, warming=False) == 0.1


# -- records -----------------------------------------------------------------------------------------------------------


def test_records_come_at_their_intervals(sample):
    records = list(Trainer(config(), sample, PLAN).run())
    at = {kind: [r["iteration"] for r in records if r["kind"] == kind] for kind in ("train", "test", "layers", "checkpoint", "end")}
    assert at == {"train": [1, 5, 10, 12], "test": [6, 12], "layers": [0, 4, 8, 12], "checkpoint": [4, 8, 12], "end": [12]}
    assert records[-1]["kind"] == "end" and records[-1]["state"] == "finished"
    train = [r for r in records if r["kind"] == "train"]
    assert [r["images"] for r in train] == [8, 32, 40, 16]
    wrong = sum(r["train_error"] * r["images"] / 100 for r in train)
    assert records[-1]["train_error"] == pytest.approx(100 * wrong / 96)
    assert records[-1]["test_error"] == [r for r in records if r["kind"] == "test"][-1]["test_error"]
    layers = next(r for r in records if r["kind"] == "layers")
    assert len(layers["names"]) == len(layers["response_std"]) == len(layers["gradient_norm"]) == len(layers["weight_norm"]) == 7


def test_the_first_loss_is_the_initial_nets_on_the_first_batch(sample):
    from resnet_core.data import Batches, per_pixel_mean

    trainer = Trainer(config(), sample, PLAN)
    first = next(r for r in trainer.run() if r["kind"] == "train")
    images, labels = Batches(sample.train, per_pixel_mean(sample.train).to(DEVICE), 8, 0, DEVICE)(0)
    net = build_model(TINY, seed=0).to(DEVICE)
    with torch.no_grad():
        expected = torch.nn.functional.cross_entropy(net(images), labels).item()
    assert first["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_last_epoch_is_what_the_final_training_error_tells(sample):
    few = dataclasses.replace(sample, train=type(sample.train)(sample.train.images[:16], sample.train.labels[:16]))
    records = list(Trainer(config(iterations=20, record_every=1), few, PLAN).run())
    last_epoch = [r["train_error"] for r in records if r["kind"] == "train"][-2:]
    assert records[-1]["train_error"] == pytest.approx(sum(last_epoch) / 2)


def test_the_clean_training_error_is_that_of_the_trained_net_on_its_images(sample):
    few = dataclasses.replace(sample, train=sample.train.part(0, 70))
    trainer = Trainer(config(), few, PLAN)
    *_, end = trainer.run()
    clean, _ = evaluate(trainer.model, few.train.images, few.train.labels, trainer.mean, PLAN)
    assert (end["clean_train_error"], end["clean_train_images"]) == (clean, 70)
    assert end["clean_train_error"] != end["train_error"]
    *_, stopped = Trainer(config(), few, PLAN).run(lambda: True)
    assert "clean_train_error" not in stopped  # it costs time, and says nothing of a training that goes on


def test_a_training_learns(sample):
    few = dataclasses.replace(sample, train=type(sample.train)(sample.train.images[:64], sample.train.labels[:64]))
    recipe = {"iterations": 60, "batch_size": 32, "learning_rate": 0.05, "augmentation": "none", "schedule": "constant"}
    records = list(Trainer(config(ResNetConfig(8, "A", width=8), **recipe), few, PLAN).run())
    losses = [r["loss"] for r in records if r["kind"] == "train"]
    assert losses[-1] < losses[0] / 2


def test_validation_images_are_held_out_and_reported():
    held = load(DataConfig("sample", validation=True))
    assert len(held.train.labels) == 4_500 and len(held.validation.labels) == 500
    run = RunConfig(TINY, DataConfig("sample", validation=True), config(iterations=1).recipe)
    end = list(Trainer(run, held, PLAN).run())[-1]
    assert 0 <= end["validation_error"] <= 100


def test_a_diverging_loss_names_its_iteration(sample):
    trainer = Trainer(config(iterations=40, record_every=20), sample, PLAN)
    records = []
    for record in trainer.run():
        records.append(record)
        if record["iteration"] == 8 and record["kind"] == "checkpoint":
            with torch.no_grad():
                trainer.model.fc.weight.fill_(float("nan"))
    assert records[-1]["state"] == "diverged" and "iteration 9" in records[-1]["message"]
    # Seen no later than the next checkpoint was due, which must not be written.
    assert records[-1]["iteration"] <= 12
    assert max(r["iteration"] for r in records if r["kind"] == "checkpoint") == 8


def test_the_110_layer_warm_up_ends_when_the_error_is_low_enough(sample):
    recipe = {"iterations": 110, "record_every": 10, "warmup": "error", "learning_rate": 0.05, "schedule": "constant"}
    quick = config(**recipe, warmup_error=100.0)  # any error below 100 % will do: over after one window of 50
    rates = {r["iteration"]: r["learning_rate"] for r in Trainer(quick, sample, PLAN).run() if r["kind"] == "train"}
    assert rates[50] == 0.01 and rates[60] == 0.05
    never = config(**recipe, warmup_error=0.0)
    rates = {r["iteration"]: r["learning_rate"] for r in Trainer(never, sample, PLAN).run() if r["kind"] == "train"}
    assert set(rates.values()) == {0.01}


# -- the same for both -------------------------------------------------------------------------------------------------


def test_twins_see_the_same_batches(sample):
    seen = {}
    for shortcut in ("none", "A"):
        trainer = Trainer(config(ResNetConfig(8, shortcut, width=4)), sample, PLAN)
        seen[shortcut] = []
        trainer.model.register_forward_pre_hook(lambda m, args, kept=seen[shortcut]: kept.append(args[0].cpu()) if m.training else None)
        list(trainer.run())
    assert len(seen["none"]) == len(seen["A"]) > 12
    assert all(torch.equal(a, b) for a, b in zip(seen["none"], seen["A"], strict=True))


# -- resuming ----------------------------------------------------------------------------------------------------------


def run_with_stop(sample, run, plan, folder, at):
    """Stop after ``at`` iterations, save, load into a fresh trainer, go on. Returns all records but the stop's."""
    trainer = Trainer(run, sample, plan)
    records = []
    for record in trainer.run(should_stop=lambda: trainer.iteration >= at):
        records.append(record)
        if record["kind"] == "checkpoint":
            path = checkpoint.save(folder, trainer.state(), {"note": 1})
    assert records[-1]["state"] == "stopped" and records[-1]["iteration"] == at
    again = Trainer(run, sample, plan)
    state, extra = checkpoint.load(path)
    assert extra == {"note": 1}
    again.load_state(state)
    return records[:-2] + list(again.run())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("at", [0, 1, 5, 7, 12])
def test_a_resumed_training_ends_with_the_same_bits(sample, tmp_path, precision, at):
    run = config(warmup="error", warmup_error=0.0) if at == 7 else config()
    plan = dataclasses.replace(PLAN, precision=precision)
    whole = list(Trainer(run, sample, plan).run())
    if at == 12:  # killed after the last checkpoint, before the end was told
        trainer = Trainer(run, sample, plan)
        for record in trainer.run():
            if record["kind"] == "checkpoint":
                path = checkpoint.save(tmp_path, trainer.state())
        again = Trainer(run, sample, plan)
        again.load_state(checkpoint.load(path)[0])
        parts = list(again.run())
        whole = whole[-1:]
    else:
        parts = run_with_stop(sample, run, plan, tmp_path, at)
    if EXACT:
        assert without_times(parts) == without_times(whole)
    else:
        assert [(r["kind"], r["iteration"]) for r in parts] == [(r["kind"], r["iteration"]) for r in whole]


def test_only_the_newest_checkpoints_stay(sample, tmp_path):
    trainer = Trainer(config(), sample, PLAN)
    for record in trainer.run():
        if record["kind"] == "checkpoint":
            checkpoint.save(tmp_path, trainer.state())
    assert [p.name for p in saved.checkpoints(tmp_path)] == ["iter-00000008", "iter-00000012"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["iter-00000008", "iter-00000012"]


def test_a_half_written_checkpoint_is_not_taken(sample, tmp_path, monkeypatch):
    trainer = Trainer(config(), sample, PLAN)
    checkpoint.save(tmp_path, trainer.state())
    trainer.iteration = 3

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved.os, "rename", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path, trainer.state())
    assert saved.latest(tmp_path).name == "iter-00000000"
    assert [p.name for p in tmp_path.iterdir()] == ["iter-00000000"]


def test_a_truncated_checkpoint_is_named(sample, tmp_path):
    path = checkpoint.save(tmp_path, Trainer(config(), sample, PLAN).state())
    weights = path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="iter-00000000"):
        checkpoint.load(path)


def test_another_nets_checkpoint_is_refused(sample):
    state = Trainer(config(), sample, PLAN).state()
    with pytest.raises(CheckpointError, match="plain-8"):
        Trainer(config(ResNetConfig(8, "none", width=8)), sample, PLAN).load_state(state)


def test_weights_sha256_reads_all_tensors_in_the_order_of_their_names():
    a, b = torch.arange(4.0), torch.ones(2, dtype=torch.int64)
    assert checkpoint.weights_sha256({"a": a, "b": b}) == checkpoint.weights_sha256({"b": b, "a": a})
    import hashlib

    expected = hashlib.sha256(a.numpy().tobytes() + b.numpy().tobytes()).hexdigest()
    assert checkpoint.weights_sha256({"b": b, "a": a}) == expected


# -- measurements ------------------------------------------------------------------------------------------------------


def test_layer_statistics_leave_the_net_as_it_was_and_are_what_they_say():
    net = build_model(TINY).to(DEVICE)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    images = torch.randn(16, 3, 32, 32, device=DEVICE)
    labels = torch.arange(16, device=DEVICE) % 10
    got = layer_statistics(net, images, labels, PLAN)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters()) and not net.bn1._forward_hooks
    torch.nn.functional.cross_entropy(net(images), labels).backward()
    assert got["names"] == [name for name, _, _ in net.taps()]
    norms = [conv.weight.grad.norm().item() for _, conv, _ in net.taps()]
    assert got["gradient_norm"] == pytest.approx(norms, rel=1e-4)
    # At initialisation BN gives every channel mean 0 and variance 1.
    assert got["response_std"] == pytest.approx([1.0] * 7, rel=1e-2)


def test_evaluate_counts_as_a_loop_does(sample):
    net = build_model(TINY).to(DEVICE)
    mean = torch.zeros(3, 32, 32, device=DEVICE)
    error, loss = evaluate(net, sample.test.images, sample.test.labels, mean, PLAN)
    assert net.training
    net.eval()
    wrong, total = 0, 0.0
    for image, label in zip(sample.test.images, sample.test.labels, strict=True):
        with torch.no_grad():
            logits = net(image[None].to(DEVICE).float() / 255)[0]
        wrong += int(logits.argmax().item() != label)
        total += torch.nn.functional.cross_entropy(logits[None], label[None].to(DEVICE)).item()
    assert error == pytest.approx(100 * wrong / 60) and loss == pytest.approx(total / 60, rel=1e-4)


def test_the_probe_decides_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(timing, "UNCLEAR", 0.0)  # whatever this machine's ratio is, it is kept
    plan = decide(config())
    assert plan.precision in ("fp32", "bf16") and plan.compile is False and plan.threads >= 1
    assert "times as fast" in plan.reason["precision"] and plan.reason["machine"]
    # Twins, and the next run, are computed in the same way: the answer is kept.
    assert decide(config(ResNetConfig(8, "none", width=4))).precision == plan.precision
    assert len(list((tmp_path / "resnet-lab").glob("probe-precision-*.json"))) == 1
    asked = decide(config(precision="fp32", compile="off"))
    assert (asked.precision, asked.compile, asked.reason["precision"]) == ("fp32", False, "as asked")
    assert Plan.from_dict(plan.to_dict()) == plan


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """Lets the probe of this machine measure the ratios of a list, one after the other; gives that list."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ratios = []
    monkeypatch.setattr(build, "library", lambda: None)  # of two questions it asks one
    monkeypatch.setattr(timing, "compare", lambda *_, **__: Answer(ratios.pop(0), 0.1, "2026-11-30T00:00:00+00:00"))
    return ratios


@pytest.mark.parametrize("first, precision, kept", [(2.5, "bf16", True), (0.4, "fp32", True), (1.3, "bf16", False), (1.2, "fp32", False)])
def test_only_a_clear_answer_of_the_probe_is_kept(answers, first, precision, kept):
    answers += [first, 1 / first]
    plan = decide(config(compile="off"))
    assert plan.precision == precision
    assert ("measured again" in plan.reason["precision"]) == (not kept)
    decide(config(compile="off"))
    assert len(answers) == (1 if kept else 0)


def test_an_answer_holds_for_one_machine_driver_and_torch(answers, monkeypatch):
    answers += [2.5, 0.4, 0.3]
    assert decide(config(compile="off")).precision == "bf16"
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert decide(config(compile="off")).precision == "fp32"
    monkeypatch.setattr(timing, "machine_name", lambda device: "another processor")
    decide(config(compile="off"))
    monkeypatch.undo()
    assert not answers


def test_a_damaged_answer_is_measured_anew_and_another_one_on_demand(answers, tmp_path):
    answers += [2.5, 3.0, 0.4]
    device = pick_device("auto")
    assert probe.precision_answer(device).ratio == 2.5
    (path,) = (tmp_path / "resnet-lab").glob("probe-precision-*.json")
    for damage in ("", "[]", '{"answer": {"ratio": "fast"}}', '{"answer": {"ratio": NaN, "seconds": 1, "measured": ""}}'):
        path.write_text(damage)
        assert timing.kept(device, "precision") is None
    assert probe.precision_answer(device).ratio == 3.0 and probe.precision_answer(device).kept
    assert probe.measure_again(device).ratio == 0.4
    assert timing.kept(device, "precision").ratio == 0.4


def test_a_pause_of_the_processor_is_no_work(monkeypatch):
    """What others do on the machine makes a step last longer: here, a tenth of a second of sleep in one of two equal contenders."""
    work = torch.randn(400, 400)

    def step() -> None:
        for _ in range(20):
            work @ work

    def disturbed() -> None:
        time.sleep(0.1)
        step()

    assert timing.compare(step, disturbed, torch.device("cpu"), rounds=5).ratio > 0.5


def test_a_compiler_that_failed_is_tried_again_the_next_time(answers, monkeypatch):
    monkeypatch.setattr(probe, "COMPILE_WORTH_SECONDS", 0.0)
    answers += [1.9, 0.1]

    def fails(model, device):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(probe, "compiled", fails)
    assert "torch.compile failed here (RuntimeError)" in decide(config(precision="fp32")).reason["compile"]
    monkeypatch.setattr(probe, "compiled", lambda model, device: model)
    assert "compiled 1.90 times as fast as eager" in decide(config(precision="fp32")).reason["compile"]
    monkeypatch.setattr(probe, "compiled", fails)
    assert "compiled 1.90 times as fast as eager" in decide(config(precision="fp32")).reason["compile"]  # what was measured is kept


def test_slots_that_are_no_number_are_named(monkeypatch):
    monkeypatch.setenv("RESNET_LAB_SLOTS", "two")
    with pytest.raises(RunError, match="RESNET_LAB_SLOTS: 'two' is not a whole number"):
        decide(config())


def test_a_device_that_is_not_there_is_named():
    missing = next((d for d in ("cuda", "mps") if d != DEVICE.type), None)
    with pytest.raises(ConfigError, match=f"device: '{missing}' is not on this machine"):
        pick_device(missing)
