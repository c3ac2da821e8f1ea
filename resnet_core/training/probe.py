"""What ``auto`` means on this machine: a short measurement instead of an assumption.

bf16 is two to three times as fast as fp32 on some processors (AMX, AVX512-BF16) and many times slower on others, and no flag
tells how much. So a few training steps of a small net are timed in both, in turn (``timing``). A clear answer is kept for the machine: all
nets of a comparison are then trained in the same way, and the next run starts at once.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from resnet_core.architectures import ModelConfig, ResNetConfig
from resnet_core.architectures.net import build_model
from resnet_core.config import RunConfig
from resnet_core.kernels import build
from resnet_core.language import mark, tr
from resnet_core.slots import threads
from resnet_core.training import timing
from resnet_core.training.device import pick_device
from resnet_core.training.plan import Plan, compiled
from resnet_core.training.timing import MARGIN, Answer, machine_name, training_step

#: A net as deep as any stage of the family has, in few layers, and the images in its batch.
PROBE_NET, PROBE_BATCH = ResNetConfig(depth=8, shortcut="A"), 64
#: What torch chose for this process. A trainer changes it, and the thread count of one resumed run is not the default of the next.
_THREADS_AT_START = torch.get_num_threads()
#: Compiling takes 20 to 60 s cold; a run that eager finishes sooner than this is not worth the probe, let alone the wait.
COMPILE_WORTH_SECONDS = 1_200.0


def decide(config: RunConfig, trains: bool = True) -> Plan:
    """Decide device, precision, compilation and threads for ``config``; whatever it names itself is taken as it is.

    Args:
        trains: False where a net is only looked into, which nothing is compiled for.

    Raises:
        ConfigError: the device asked for is not on this machine.
        RunError: RESNET_LAB_SLOTS is no number that it may be.
    """
    recipe = config.recipe
    device = pick_device(recipe.device)
    plan = Plan(device.type, "fp32", False, threads(config, _THREADS_AT_START) if device.type == "cpu" else _THREADS_AT_START)
    torch.set_num_threads(plan.threads)
    reason: dict[str, object] = {"machine": machine_name(device)}
    if recipe.precision != "auto":
        precision, reason["precision"] = recipe.precision, "as asked"
    else:
        answer = precision_answer(device)
        precision, reason["precision"] = "bf16" if answer.wins else "fp32", f"probe: {precision_text(answer)}"
    plan = dataclasses.replace(plan, precision=precision)
    if trains and plan.device == "cpu" and recipe.compile != "on":
        # Not measured: it makes fewer passes over the same memory, and one seed is to give the same weights every time on a machine.
        plan = dataclasses.replace(plan, fused=build.library() is not None, amx=precision == "bf16" and build.has_amx())
        reason["fused"] = build.why_not() or "compiled here"
    if recipe.compile != "auto":
        compiled, reason["compile"] = recipe.compile == "on", "as asked"
    elif plan.fused or not trains:
        compiled = False
    else:
        compiled, reason["compile"] = _worth_compiling(config, plan, device)
    return dataclasses.replace(plan, compile=compiled, reason=reason)


def precision_answer(device: torch.device) -> Answer:
    """How many times as fast as fp32 bf16 is here: the kept answer, or a measurement of about a second."""
    return timing.asked(device, "precision", lambda: _compare_precisions(device))


def precision_text(answer: Answer) -> str:
    """One clause about the answer, as records and pages show it."""
    clear = mark("bf16 {ratio:.2f} times as fast as fp32 (needs {margin})")
    unclear = mark(
        "bf16 {ratio:.2f} times as fast as fp32 (needs {margin}); too close to be kept, so it is measured again at the next start"
    )
    return tr(clear if answer.is_clear else unclear, ratio=answer.ratio, margin=MARGIN)


def measure_again(device: torch.device) -> Answer:
    """Forget every answer that is kept for this machine, and measure the precisions now."""
    timing.forget(device)
    return precision_answer(device)


def _on_device(config: ModelConfig, device: torch.device) -> nn.Module:
    return build_model(config).to(device).to(memory_format=torch.channels_last)


def _compare_precisions(device: torch.device) -> Answer:
    net = _on_device(PROBE_NET, device)
    usual, challenger = (training_step(net, Plan(device.type, precision), PROBE_BATCH) for precision in ("fp32", "bf16"))
    return timing.compare(usual, challenger, device)


def _worth_compiling(config: RunConfig, plan: Plan, device: torch.device) -> tuple[bool, str]:
    model, batch, side = config.model, config.recipe.batch_size, config.data.side
    # The shortcut is no part of the question: a plain net and its twin are to be computed alike.
    what = f"compile-{model.kin}-{model.depth}-{batch}-{plan.precision}" + (f"-{side}" if side != 32 else "")
    eager = _on_device(model, device)
    usual = training_step(eager, plan, batch, side)
    answer = timing.kept(device, what)
    seconds = answer.seconds if answer else timing.quickest(usual, device)
    expected = seconds / plan.threads * config.recipe.iterations
    if expected < COMPILE_WORTH_SECONDS:
        return False, f"about {expected:.0f} s of training; compiling pays from {COMPILE_WORTH_SECONDS:.0f} s on"

    def measure() -> Answer:
        return timing.compare(usual, training_step(compiled(eager, plan.device), plan, batch, side), device, rounds=4)

    try:
        answer = timing.asked(device, what, measure)
    except Exception as error:  # no compiler, an unsupported device: whatever it is, eager still works
        return False, f"torch.compile failed here ({type(error).__name__})"
    unclear = "" if answer.is_clear else "; too close to be kept"
    return answer.wins, f"probe: compiled {answer.ratio:.2f} times as fast as eager (needs {MARGIN}){unclear}"
