"""A net as one file of plain Python, as a teacher would write it: it needs torch and safetensors, and nothing of this project."""

from __future__ import annotations

import textwrap
from itertools import groupby

from resnet_core.architectures.base import ModelConfig
from resnet_core.architectures.parts import Part, Shape
from resnet_core.architectures.plan import Plan
from resnet_core.architectures.table import complexity
from resnet_core.exports import paper
from resnet_core.exports.blocks import Kind, Unreadable, applied, call, refused, statements, written
from resnet_core.nets.catalog import Net

_WIDTH = 100
#: More classes than this are not written out: their names are in the weights file.
_MOST_NAMES = 20
_SMALL = {
    "Scale": '''class Scale(nn.Module):
    """Multiplies by one learned number."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x * self.weight
''',
    "Shift": '''class Shift(nn.Module):
    """Adds one learned number."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x + self.bias
''',
}
_END = '''def normalize(images, mean, std):
    """Turn images (N, 3, {side}, {side}), red, green, blue, 0 to 255, into the net's input."""
    return (images.float() / 255 - mean) / std


def load(path):
    """Read a weights file; return the net in evaluation mode, and mean and std for `normalize`."""
    tensors = load_file(path)
    mean = tensors.pop("normalization.mean")
    std = tensors.pop("normalization.std", torch.ones(()))
    net = Net()
    net.load_state_dict(tensors)
    return net.eval(), mean, std


if __name__ == "__main__":
    net, mean, std = load(sys.argv[1])
    print(f"{{sum(p.numel() for p in net.parameters()):,}} parameters")
    gray = torch.full((1, 3, {side}, {side}), 128)
    with torch.no_grad():
        print(net(normalize(gray, mean, std)).softmax(dim=1))
'''


def content(net: Net) -> bytes:
    """The file of a net with weights.

    Raises:
        ConfigError: it cannot be written readably.
    """
    return source(net.model, net.name, net.side, net.class_names).encode()


def source(model: ModelConfig, name: str = "", side: int | None = None, classes: tuple[str, ...] | None = None) -> str:
    """The Python of the net that a configuration describes.

    Args:
        name: of this very net, where it has one of its own.
        side: of its images, where it is not the one that it is made for.

    Raises:
        ConfigError: it cannot be written readably: it is made of too many different parts.
    """
    plan = model.plan()
    try:
        if plan.auxiliary:
            raise Unreadable("it has classifiers in its middle, for training")
        kinds = written(plan)
        blocks = [kind.lines() for kind in kinds]
        net = _net(plan, kinds)
    except Unreadable as error:
        raise refused(model.name, error) from error
    small = [text for key, text in _SMALL.items() if any(type(placed.part).__name__ == key for placed in plan.walk())]
    parts = [_head(model, name, side or plan.input[1], classes), *small]
    parts += ["\n".join(_wrapped(lines)) + "\n" for lines in (*blocks, net)]
    text = "\n\n".join([*parts, _END.format(side=side or plan.input[1])])
    return text.replace("import torch\nimport torch.nn.functional as F\n", "import torch\n") if "F." not in text else text


def _head(model: ModelConfig, name: str, side: int, classes: tuple[str, ...] | None) -> str:
    counted = complexity(model, side)
    told = f"{model.name}{f' ({name})' if name not in ('', model.name) else ''}, written by ResNet Lab from its description of the net."
    lines = [
        f'"""{told}',
        "",
        *textwrap.wrap(f"Source: {paper(model)}.", _WIDTH),
        "",
        f"{counted.params:,} parameters, {counted.macs:,} multiply-adds for an image of {side}x{side} pixels,",
        f"{counted.layers} weighted layers. It needs torch and safetensors; the weights are those that ResNet Lab exports:",
        "",
        "    net, mean, std = load('weights.safetensors')",
        "    logits = net(normalize(images, mean, std))",
        '"""',
        "",
        "import sys",
        "",
        "import torch",
        "import torch.nn.functional as F",
        "from safetensors.torch import load_file",
        "from torch import nn",
    ]
    if classes and len(classes) <= _MOST_NAMES:
        lines += ["", *_call("CLASSES = (", [_quoted(each) for each in classes], ")", 0)]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text + "'" if '"' in text else '"' + text.replace("\\", "\\\\") + '"'


def _net(plan: Plan, kinds: list[Kind]) -> list[str]:
    made, forward = [], statements(plan.stem, "x", "x")
    made += _modules(plan.stem, plan.input)
    shape = plan.input
    for part in plan.stem:
        shape = part.output(shape)
    rows: dict[str, list[tuple[str, tuple[int, ...], tuple[str, ...]]]] = {}
    where = {unit.name: (kind, unit, entered) for kind in kinds for unit, entered, _ in kind.units}
    for unit in plan.units:
        kind, _, entered = where[unit.name]
        rows.setdefault(unit.name.rpartition(".")[0], []).append((kind.name, *kind.arguments(unit, entered)))
    for stage, calls in rows.items():
        made += _call(f"self.{stage} = nn.Sequential(", _repeated(calls), ")", 8)
        forward.append(f"x = self.{stage}(x)")
    entered = next((placed.shape for placed in plan.walk() if placed.place == "head"), shape)
    made += _modules(plan.head, entered)
    *before, last = plan.head
    forward += statements(before, "x", "x")
    return [
        "class Net(nn.Module):",
        f'    """Images (N, 3, H, W), normalised, to logits (N, {last.output(())[0]})."""',
        "",
        "    def __init__(self):",
        "        super().__init__()",
        *(line if line.startswith("        ") else f"        {line}" for line in made),
        "",
        "    def forward(self, x):",
        *(f"        {line}" for line in forward),
        f"        return {applied(last, 'x')}",
    ]


def _modules(parts: tuple[Part, ...], shape: Shape) -> list[str]:
    lines = []
    for part in parts:
        if made := call(part, shape):
            words = [str(value) for value in made.values]
            words += [f"{name}={value}" for name, value, default in made.options if value != default]
            lines.append(f"self.{part.name} = {made.function}({', '.join(words)})")
        shape = part.output(shape)
    return lines


def _repeated(calls: list[tuple[str, tuple[int, ...], tuple[str, ...]]]) -> list[str]:
    """The blocks of a stage as they are written: equal ones in one loop, and those of which one number grows evenly."""

    def text(kind: str, words: list[str], switches: tuple[str, ...]) -> str:
        return f"{kind}({', '.join([*words, *(f'{switch}=True' for switch in switches)])})"

    found: list[str] = []
    equal = [(one, len(list(group))) for one, group in groupby(calls)]
    at = 0
    while at < len(equal):
        (kind, numbers, switches), count = equal[at]
        end = at + 1
        steps = None
        while count == 1 and end < len(equal) and equal[end][1] == 1 and equal[end][0][0::2] == (kind, switches):
            change = tuple(b - a for a, b in zip(equal[end - 1][0][1], equal[end][0][1], strict=True))
            if sum(map(bool, change)) != 1 or change != (steps or change):
                break
            steps, end = change, end + 1
        if steps is not None and end - at > 2:
            index = next(index for index, step in enumerate(steps) if step)
            words = [str(number) for number in numbers]
            words[index] = "c"
            row = f"range({numbers[index]}, {equal[end - 1][0][1][index] + 1}, {steps[index]})"
            found.append(f"*[{text(kind, words, switches)} for c in {row}]")
            at = end
            continue
        one = text(kind, [str(number) for number in numbers], switches)
        found += [one] if count == 1 else [one, one] if count == 2 else [f"*[{one} for _ in range({count})]"]
        at += 1
    return found


def _call(head: str, words: list[str], tail: str, indent: int) -> list[str]:
    """A call on one line, on three, or with a line for each argument."""
    space = " " * indent
    comma = "," if head.endswith("= (") and len(words) == 1 else ""
    if indent + len(line := f"{head}{', '.join(words)}{comma}{tail}") <= _WIDTH:
        return [space + line]
    if 4 + indent + len(line := ", ".join(words)) <= _WIDTH and not head.endswith("= ("):
        return [space + head, f"{space}    {line}", space + tail]
    return [space + head, *(f"{space}    {word}," for word in words), space + tail]


def _wrapped(lines: list[str]) -> list[str]:
    """Constructors that are too long, on three lines."""
    found = []
    for line in lines:
        start, bracket, rest = line.partition("(")
        if len(line) <= _WIDTH or '"""' in line or not bracket or not rest.endswith(")"):
            found.append(line)
            continue
        indent = len(line) - len(line.lstrip())
        found += [start + "(", " " * (indent + 4) + rest[:-1], " " * indent + ")"]
    return found
