"""The training loop: a generator of records, which the worker, the command line and the tests consume alike.

    for record in Trainer(config, dataset, plan).run():
        print(record)

Nothing in the step waits for the device: sums stay on it until a record is due. The batches are a pure function of the seed and the
iteration, and so is what nets draw by chance (dropout, stochastic depth): a resumed training needs no state of a random generator.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from resnet_core.architectures.net import build_model, training_form
from resnet_core.config import RunConfig
from resnet_core.data import Batches, Cifar10, per_pixel_mean
from resnet_core.data.augment import IMAGENET_AXES, PAPER_CROP
from resnet_core.errors import CheckpointError
from resnet_core.language import tr
from resnet_core.training.checkpoint import TrainingState, weights_sha256
from resnet_core.training.device import PeakMemory, synchronize
from resnet_core.training.evaluate import evaluate
from resnet_core.training.layers import layer_statistics
from resnet_core.training.plan import Plan
from resnet_core.training.replicas import Replicas
from resnet_core.training.schedule import Plateau, learning_rate

#: Training images that the clean training error at the end is counted on, at most: the first ones of the set.
CLEAN_IMAGES = 5_000
#: What the mean image is called among the tensors that a transferred net begins with.
MEAN = "normalization.mean"
#: The ``error`` warm-up looks at the training error of this many iterations at a time.
WARMUP_WINDOW = 50


def _chance(seed: int, iteration: int) -> int:
    """The seed of what a net draws in one training step."""
    digest = hashlib.sha256(f"{seed}/chance/{iteration}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class Trainer:
    """One training, from its first iteration or from a loaded state to its end.

    Attributes:
        model: the net, on the plan's device; never compiled or hooked itself.
        mean: per-pixel mean of the training images, float32 (3, 32, 32), from 0 to 1.
        iteration: parameter updates done.
    """

    def __init__(self, config: RunConfig, dataset: Cifar10 | None, plan: Plan):
        """``dataset`` is None for a replica, which is given its part of each batch and runs nothing by itself."""
        self.config, self.plan = config, plan
        recipe = config.recipe
        self.device = torch.device(plan.device)
        if plan.device == "cpu":
            torch.set_num_threads(plan.threads)
        self.model = build_model(config.model, recipe.seed).to(self.device).to(memory_format=torch.channels_last)
        self.model.side = config.data.side
        self._prepared = plan.prepared(training_form(self.model))
        self._replicas: Replicas | None = None
        if dataset is not None:
            self.dataset = dataset
            self._take_mean(per_pixel_mean(dataset.train, config.data.side))
        scales = self._prepare_transfer()
        self.optimizer = torch.optim.SGD(
            scales, recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay, fused=plan.device != "mps"
        )
        self.iteration = 0
        self._warming = recipe.warmup == "error"
        self._layers_measured = -1  # the iteration of the newest layers record
        self._elapsed = self._train_seconds = 0.0
        self._last_test: dict[str, float] = {}
        self._window: list[list[int]] = []  # [images, wrong] of the newest train records, one epoch of them
        # Sums on the device. fp64 keeps the loss of a resumed record exact; MPS does not have it.
        real = torch.float32 if plan.device == "mps" else torch.float64
        self._sums = {
            "loss": torch.zeros((), dtype=real, device=self.device),
            "wrong": torch.zeros((), dtype=torch.int64, device=self.device),
            "warmup_wrong": torch.zeros((), dtype=torch.int64, device=self.device),
            "diverged_at": torch.full((), -1, dtype=torch.int64, device=self.device),
        }
        self._iterations_summed = 0
        self._plateau = Plateau()
        if recipe.schedule == "plateau":
            self._sums |= {name: torch.zeros((), dtype=torch.int64, device=self.device) for name in ("plateau_wrong", "plateau_images")}

    def _take_mean(self, mean: torch.Tensor) -> None:
        """Subtract this mean image, float32 (3, H, W), from all images; of another size than the images, its mean over all pixels."""
        recipe, side = self.config.recipe, self.config.data.side
        if mean.shape[-2:] != (side, side):
            mean = mean.mean((1, 2), keepdim=True).expand(3, side, side).contiguous()
        self.mean = mean.to(self.device)
        self._batches = Batches(
            self.dataset.train, self.mean, recipe.batch_size, recipe.seed, self.device, recipe.augmentation,
            side=side, scale_range=recipe.scale_range, pca_colour=recipe.pca_colour, colour_jitter=recipe.colour_jitter,
            # A net for ImageNet is given ImageNet's colours, as it was by its authors; others those of their own images.
            axes=IMAGENET_AXES if self.config.model.plan().input[-1] >= PAPER_CROP else None,
        )  # fmt: skip

    def _prepare_transfer(self) -> list[dict[str, Any]]:
        """Freeze what is not trained, and give the optimiser's groups, each with the factor that its learning rate is multiplied by."""
        start, plan = self.config.start, self.model.plan
        if start is None or start.is_grown:
            return [{"params": list(self.model.parameters())}]
        self.model.freeze(start.frozen)
        place = {name: i for i, group in enumerate(plan.groups) for name in group}
        factors: dict[float, list[nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                factor = start.stage_decay ** (len(plan.groups) - place.get(name.split(".")[0], len(plan.groups)))
                factors.setdefault(factor, []).append(parameter)
        return [{"params": found, "factor": factor} for factor, found in factors.items()]

    # -- state ---------------------------------------------------------------------------------------------------------

    def state(self) -> TrainingState:
        """A copy of everything the rest of the training depends on; consistent whenever ``run`` has yielded."""
        training = {"mean": self.mean.cpu()}
        for name, parameter in self.model.named_parameters():
            buffer = self.optimizer.state.get(parameter, {}).get("momentum_buffer")
            if buffer is not None:
                training[f"momentum.{name}"] = buffer.detach().cpu().clone()
        values = {
            "iteration": self.iteration,
            "warming": self._warming,
            "layers_measured": self._layers_measured,
            "elapsed_seconds": self._elapsed,
            "train_seconds": self._train_seconds,
            "last_test": self._last_test,
            "window": self._window,
            "iterations_summed": self._iterations_summed,
            "sums": {name: value.item() for name, value in self._sums.items()},
        }
        if self.config.recipe.schedule == "plateau":
            values["plateau"] = self._plateau.to_dict()
        return TrainingState({k: v.detach().cpu().clone() for k, v in self.model.state_dict().items()}, training, values)

    def load_state(self, state: TrainingState) -> None:
        """Go on from ``state``. After an error this trainer is good for nothing.

        Raises:
            CheckpointError: it is the state of another net, or not a whole one.
        """
        try:
            self._load_state(state)
        except (RuntimeError, KeyError, TypeError, ValueError, OverflowError) as error:
            summary = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise CheckpointError("The checkpoint is not one of {name}: {summary}", name=self.config.model.name, summary=summary) from error

    def begin_with(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take these weights and BN statistics instead of the random ones, before the first iteration; of a transferred net the mean too.

        Raises:
            CheckpointError: they are those of another net.
        """
        if (mean := tensors.pop(MEAN, None)) is not None:
            self._take_mean(mean)
        try:
            self.model.load_state_dict(tensors)
        except RuntimeError as error:
            raise CheckpointError("The weights to begin with are not those of {name}.", name=self.config.model.name) from error

    def _load_state(self, state: TrainingState) -> None:
        values = state.values
        if self.config.start and not self.config.start.is_grown:
            self._take_mean(state.training["mean"])
        self.model.load_state_dict(state.model)
        for name, parameter in self.model.named_parameters():
            buffer = state.training.get(f"momentum.{name}")
            if buffer is not None:
                copy = torch.empty_like(parameter, requires_grad=False)
                self.optimizer.state[parameter]["momentum_buffer"] = copy.copy_(buffer)
            elif values["iteration"] and self.config.recipe.momentum and parameter.requires_grad:
                raise KeyError(f"the momentum of {name} is missing")
        state.check_values()
        self.iteration = values["iteration"]
        self._warming = values["warming"]
        self._layers_measured = values["layers_measured"]
        self._elapsed, self._train_seconds = values["elapsed_seconds"], values["train_seconds"]
        self._last_test = {str(name): float(error) for name, error in values["last_test"].items()}
        self._window = [[int(images), int(wrong)] for images, wrong in values["window"]]
        self._iterations_summed = values["iterations_summed"]
        for name, total in self._sums.items():
            total.fill_(values["sums"][name])
        if self.config.recipe.schedule == "plateau":
            self._plateau = Plateau.from_dict(values["plateau"])

    # -- the loop ------------------------------------------------------------------------------------------------------

    def run(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[dict[str, Any]]:
        """Train to the end, or until ``should_stop``, and yield records: dicts of plain values.

        Their kinds: ``train`` (loss and training error of the batches since the last one, as they were trained on), ``test``, ``layers``,
        ``checkpoint`` (the consumer is to save ``state()`` now), and last of all ``end`` with ``state`` ``finished``, ``stopped`` or
        ``diverged``. Errors are percentages, times seconds. A finished one has the ``clean_train_error`` too, of the trained net (in
        evaluation mode) on the first ``CLEAN_IMAGES`` training images without augmentation.
        """
        if self.config.recipe.replicas == 1:
            yield from self._run(should_stop)
            return
        with Replicas.started(self.config, self.plan, self.state()) as self._replicas:
            self._prepared = self._replicas.parallel(self._prepared)
            yield from self._run(should_stop)

    def _run(self, should_stop: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        recipe = self.config.recipe
        record_every, test_every, layers_every, checkpoint_every = (
            recipe.interval(name) for name in ("record_every", "test_every", "layers_every", "checkpoint_every")
        )
        self.model.train()
        memory = PeakMemory(self.device)
        memory.start()
        clock = time.perf_counter() - self._elapsed
        step_clock, steps_timed = time.perf_counter(), 0

        def elapsed() -> float:
            self._elapsed = time.perf_counter() - clock
            return round(self._elapsed, 3)

        if self.iteration == 0 and self._layers_measured < 0:
            yield self._layers_record(elapsed)
            step_clock = time.perf_counter()
        while self.iteration < recipe.iterations:
            if should_stop():
                elapsed()
                self._train_seconds += time.perf_counter() - step_clock
                yield {"kind": "checkpoint", "iteration": self.iteration}
                yield self._end(
                    "stopped",
                    tr("Stopped at iteration {iteration:,} of {iterations:,}.", iteration=self.iteration, iterations=recipe.iterations),
                )
                return
            rate = learning_rate(recipe, self.iteration, warming=self._warming, lowered=self._plateau.lowered)
            self.step(rate)
            steps_timed += 1
            last = self.iteration == recipe.iterations
            checkpoint_due = self.iteration % checkpoint_every == 0 or last
            # The first iteration is recorded too: a viewer sees at once that the training has begun.
            if self.iteration % record_every == 0 or last or self.iteration == 1:
                bad = int(self._sums["diverged_at"].item())
                seconds = time.perf_counter() - step_clock
                self._train_seconds += seconds
                if bad < 0:
                    speed = steps_timed * recipe.batch_size / seconds
                    yield self._train_record(rate, speed, elapsed(), memory.megabytes())
                step_clock, steps_timed = time.perf_counter(), 0
            else:
                bad = int(self._sums["diverged_at"].item()) if checkpoint_due else -1
            if bad >= 0:
                elapsed()
                message = tr(
                    "The loss was no longer a finite number at iteration {bad:,}. Lower the learning rate, or warm it up.", bad=bad
                )
                yield self._end("diverged", message)
                return
            test_due, layers_due = self.iteration % test_every == 0 or last, self.iteration % layers_every == 0 or last
            if test_due or layers_due or checkpoint_due:
                synchronize(self.device)  # what is still queued there belongs to the steps, not to the pause
            paused = time.perf_counter()
            if test_due:
                yield self._test_record(elapsed)
            if layers_due:
                yield self._layers_record(elapsed)
            if checkpoint_due:
                elapsed()
                yield {"kind": "checkpoint", "iteration": self.iteration}
            step_clock += time.perf_counter() - paused
        clean = self.dataset.train.part(0, CLEAN_IMAGES)
        error, _ = evaluate(self.model, clean.images, clean.labels, self.mean, self.plan)
        elapsed()
        finished = self._end("finished", tr("Finished {iterations:,} iterations.", iterations=recipe.iterations))
        yield finished | {"clean_train_error": error, "clean_train_images": len(clean)}

    def step(self, rate: float) -> None:
        """One update at the learning rate ``rate``, on the next batch. Records have the loss of the net itself, without auxiliary ones."""
        images, labels = self._batches(self.iteration)
        if self._replicas is not None:
            images, labels = self._replicas.split(rate, images, labels)
        self.update(rate, images, labels, self._replicas)

    def follow(self, replicas: Replicas) -> None:
        """Train with the first replica until it ends."""
        self.model.train()
        self._prepared = replicas.parallel(self._prepared)
        for rate, images, labels in replicas.parts():
            self.update(rate, images, labels, replicas)

    def update(self, rate: float, images: torch.Tensor, labels: torch.Tensor, replicas: Replicas | None) -> None:
        """Update by a batch, float32 (N, 3, S, S) and int64 (N,), or by this replica's part of it."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1.0)
        if self.model.plan.is_random:
            torch.manual_seed(_chance(self.config.recipe.seed, self.iteration) + (replicas.rank if replicas else 0))
        with self.plan.autocast():
            outputs = self._prepared(images)
        logits, *others = outputs if isinstance(outputs, tuple) else (outputs,)
        logits = logits.float()
        loss = minimized = nn.functional.cross_entropy(logits, labels)
        for auxiliary, output in zip(self.model.plan.auxiliary, others, strict=True):
            minimized = minimized + auxiliary.weight * nn.functional.cross_entropy(output.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        minimized.backward()
        self.optimizer.step()
        self.iteration += 1
        self._iterations_summed += 1
        with torch.no_grad():
            wrong, count = (logits.argmax(1) != labels).sum(), len(labels)
            if replicas is not None:
                loss, minimized, wrong, count = replicas.total(loss, minimized, wrong, count)
            sums = self._sums
            sums["loss"] += loss.detach()
            sums["wrong"] += wrong
            first_bad = ~torch.isfinite(minimized) & (sums["diverged_at"] < 0)
            sums["diverged_at"].masked_fill_(first_bad, self.iteration)
            if "plateau_wrong" in sums:
                sums["plateau_wrong"] += wrong
                sums["plateau_images"] += count
            if self._warming:
                sums["warmup_wrong"] += wrong
                if self.iteration % WARMUP_WINDOW == 0:
                    seen = WARMUP_WINDOW * count
                    self._warming = 100.0 * sums["warmup_wrong"].item() / seen >= self.config.recipe.warmup_error
                    sums["warmup_wrong"].zero_()

    # -- records -------------------------------------------------------------------------------------------------------

    def _train_record(self, rate: float, speed: float, elapsed: float, megabytes: float) -> dict[str, Any]:
        images = self._iterations_summed * self.config.recipe.batch_size
        wrong = int(self._sums["wrong"].item())
        record = {
            "kind": "train",
            "iteration": self.iteration,
            "epoch": round(self.iteration * self.config.recipe.batch_size / len(self.dataset.train.labels), 4),
            "loss": self._sums["loss"].item() / self._iterations_summed,
            "train_error": 100.0 * wrong / images,
            "images": images,
            "learning_rate": rate,
            "images_per_second": round(speed, 1),
            "elapsed_seconds": elapsed,
            "peak_memory_mb": megabytes,
        }
        self._window.append([images, wrong])
        while sum(n for n, _ in self._window[1:]) >= len(self.dataset.train.labels):
            del self._window[0]
        self._sums["loss"].zero_()
        self._sums["wrong"].zero_()
        self._iterations_summed = 0
        return record

    def _test_record(self, elapsed: Callable[[], float]) -> dict[str, Any]:
        record: dict[str, Any] = {"kind": "test", "iteration": self.iteration}
        for name, split in (("test", self.dataset.test), ("validation", self.dataset.validation)):
            if split is not None:
                error, loss = evaluate(self.model, split.images, split.labels, self.mean, self.plan)
                record |= {f"{name}_error": error, f"{name}_loss": loss}
        self._last_test = {k: v for k, v in record.items() if k.endswith("_error")}
        if self.config.recipe.schedule == "plateau":
            self._look_for_a_plateau(record.get("validation_error"))
        return record | {"elapsed_seconds": elapsed()}

    def _look_for_a_plateau(self, validation_error: float | None) -> None:
        """Measure on the validation images, or on the batches since the last time; the test set has no say in a training."""
        wrong, images = (self._sums[name] for name in ("plateau_wrong", "plateau_images"))
        error = 100.0 * wrong.item() / images.item() if validation_error is None else validation_error
        wrong.zero_()
        images.zero_()
        if not self._warming:  # a warm-up has a rate of its own
            self._plateau.measured(error, self.config.recipe.patience)

    def _layers_record(self, elapsed: Callable[[], float]) -> dict[str, Any]:
        # The batch that comes next: at iteration 0 these are the gradients at initialisation.
        images, labels = self._batches(self.iteration)
        self._layers_measured = self.iteration
        measured = layer_statistics(self.model, images, labels, self.plan)
        return {"kind": "layers", "iteration": self.iteration, **measured, "elapsed_seconds": elapsed()}

    def _end(self, state: str, message: str) -> dict[str, Any]:
        images = sum(n for n, _ in self._window)
        trained_on = self.iteration * self.config.recipe.batch_size
        return {
            "kind": "end",
            "state": state,
            "iteration": self.iteration,
            "message": message,
            "train_error": 100.0 * sum(wrong for _, wrong in self._window) / images if images else None,
            "test_error": self._last_test.get("test_error"),
            "validation_error": self._last_test.get("validation_error"),
            "images_per_second": round(trained_on / self._train_seconds, 1) if self._train_seconds else None,
            "elapsed_seconds": round(self._elapsed, 3),
            "weights_sha256": weights_sha256(self.model.state_dict()),
        }
