"""The order of the house: who may import whom, what starts without torch, and what no file may name."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "resnet_core"

#: What each part of resnet_core may import of the others. architectures -> config -> training -> runs; data ->
#: training; architectures, data -> analysis; figures take plain data. Nothing points back.
ARROWS = {
    "language": set(),
    "catalogues": {"config", "differences", "field_docs"},
    "errors": set(),
    "csv_text": set(),
    "questions": {"errors"},
    "field_docs": set(),
    "slots": {"config", "errors"},
    "apart": {"errors"},
    "atomic": set(),
    "system": set(),
    "checks": {"errors"},
    "architectures": {"errors", "checks", "csv_text"},
    "activations": {"errors"},
    "datasets": set(),
    "data_config": {"checks", "datasets", "errors"},
    "config": {"errors", "checks", "architectures", "data_config"},
    "conditions": {"config"},
    "literature": {"architectures"},
    "memory": {"activations", "architectures", "config", "errors"},
    "pace": {"apart", "architectures", "atomic", "config", "system", "training"},
    "paper": {"architectures", "config"},
    "claims": {"architectures", "conditions", "config", "differences", "errors", "noise", "paper", "verdict"},
    "noise": {"architectures", "config"},
    "verdict": {"architectures", "config", "errors", "noise"},
    "differences": {"architectures", "config", "errors", "verdict"},
    "data": {"architectures", "atomic", "config", "datasets", "errors", "images", "system"},
    "kernels": {"architectures", "atomic", "system"},
    "training": {"kernels", "activations", "atomic", "system", "config", "errors", "slots", "architectures", "data"},
    "runs": {"atomic", "kernels", "memory", "pace", "system", "config", "errors", "slots", "architectures", "data", "training"},
    "classroom": {"csv_text", "errors", "questions", "runs"},
    "nets": {"atomic", "conditions", "config", "datasets", "errors", "architectures", "data", "training", "runs"},
    "analysis": {"activations", "atomic", "config", "csv_text", "errors", "architectures", "data", "training", "nets"},
    "images": {"errors"},
    "attribution": {"activations", "config", "errors", "architectures", "data", "training", "nets", "analysis"},
    "imports": {"activations", "apart", "config", "errors", "architectures", "data", "datasets", "training", "runs", "nets", "analysis"},
    "experiments": {
        "activations",
        "analysis",
        "architectures",
        "attribution",
        "config",
        "csv_text",
        "data",
        "differences",
        "errors",
        "figures",
        "nets",
        "training",
    },
    "exports": {"architectures", "config", "data", "errors", "nets"},
    "lessons": {"architectures", "claims", "config", "errors", "experiments", "literature", "nets", "questions", "training"},
    "sweeps": {"architectures", "atomic", "config", "errors", "runs", "verdict"},
    "lecture": {"errors", "figures", "lessons", "nets", "runs", "verdict"},
    "zoo": {"architectures", "config", "errors", "runs", "nets", "data", "training", "analysis"},
    "figures": {"architectures", "claims", "conditions", "config", "csv_text", "errors", "noise", "paper", "questions", "verdict"},
    "reference": {"architectures", "claims", "config", "errors", "runs"},
    "profile": {"architectures", "config", "data", "training"},
    "bench": {"config", "errors", "architectures", "data", "training"},
    "cli": {
        "claims",
        "architectures",
        "config",
        "datasets",
        "errors",
        "field_docs",
        "data",
        "kernels",
        "training",
        "runs",
        "nets",
        "analysis",
        "imports",
        "zoo",
        "images",
        "attribution",
        "figures",
        "verdict",
        "bench",
        "profile",
        "classroom",
        "experiments",
        "exports",
        "atomic",
        "lecture",
        "lessons",
        "sweeps",
    },
    "__main__": {"cli", "system"},
}
#: What every part may import beside its arrows: whatever people read is said in their language.
EVERYWHERE = {"language"}
#: These answer at once: the command line and the pages import them where nothing is trained.
WITHOUT_TORCH = [
    "errors", "config", "activations", "paper", "verdict", "differences", "runs", "runs.store", "data", "architectures.table", "images",
    "attribution", "classroom", "classroom.book", "classroom.links", "experiments", "lessons", "figures", "cli",
]  # fmt: skip


def imports(path: Path, *, typing_only: bool = False) -> set[str]:
    """Full names of the modules a file imports anywhere, as far as they can be told: ``a.b`` and ``a.b.c`` for ``from a.b import c``.

    What stands under ``if TYPE_CHECKING:`` is left out, unless ``typing_only``.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and not typing_only and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for child in node.orelse:
                visit(child)
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).with_suffix("").parts[: -node.level or None]
            base = ".".join([*package, node.module or ""]).strip(".") if node.level else node.module
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def part(path: Path) -> str:
    """The part of resnet_core that a file belongs to."""
    return path.relative_to(CORE).with_suffix("").parts[0]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def core_files() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


def tracked(*patterns: str) -> list[Path]:
    """The files of the project as git has them, so that what lies about in the folder does not count."""
    out = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in out.split("\0") if name and (path := ROOT / name).is_file()]


def run_python(code: str) -> None:
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_the_reader_of_imports_sees_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    file = tmp_path / "a" / "b" / "c.py"
    file.write_text(
        "import x.y\nfrom TYPES import TYPE_CHECKING\nfrom . import d\nfrom ..e import f\n"
        "if TYPE_CHECKING:\n    import hidden\ndef g():\n    from late import h\n"
    )
    assert imports(file) == {"x.y", "TYPES", "TYPES.TYPE_CHECKING", "a.b", "a.b.d", "a.e", "a.e.f", "late", "late.h"}
    assert imports(file, typing_only=True) - imports(file) == {"hidden"}


def test_the_core_does_not_name_streamlit_or_the_pages():
    outside = re.compile(r"(streamlit|pages|app)(\.|$)")
    guilty = {str(path): name for path in core_files() for name in imports(path, typing_only=True) if outside.match(name)}
    assert len(core_files()) > 20
    assert guilty == {}


def test_the_core_imports_where_there_is_no_streamlit():
    names = [module_name(path) for path in core_files() if path.name != "__main__.py"]
    # None in sys.modules makes every import of that name fail.
    run_python(f"import sys, importlib\nsys.modules['streamlit'] = None\nfor name in {names!r}:\n    importlib.import_module(name)")


def test_every_part_has_its_arrows():
    parts = {part(path) for path in core_files()} - {"__init__"}
    assert parts <= set(ARROWS)
    assert all(allowed <= set(ARROWS) for allowed in ARROWS.values())


def test_the_picture_of_the_parts_agrees_with_the_arrows():
    """docs/ARCHITECTURE.md: every arrow that is drawn is one, and every part has its row in the table."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    pages = {name.split(".")[1] for path in tracked("pages/*.py") for name in imports(path) if name.startswith("resnet_core.")}
    allowed = ARROWS | {"pages": pages}
    chains = [line.split("-->") for line in re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)[0].splitlines() if "-->" in line]
    drawn = {(one.strip(), other.strip()) for chain in chains for one, other in itertools.pairwise(chain)}
    assert len(drawn) > 20
    assert {(one, other) for one, other in drawn if one not in allowed[other]} == set()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(set(ARROWS) - {"__main__"})


def test_arrows_have_no_circle():
    done: set[str] = set()
    while len(done) < len(ARROWS):
        ready = {name for name, allowed in ARROWS.items() if name not in done and allowed <= done}
        assert ready, f"a circle among {set(ARROWS) - done}"
        done |= ready


@pytest.mark.parametrize("path", core_files(), ids=module_name)
def test_nothing_points_back(path):
    mine = part(path)
    named = {name.split(".")[1] for name in imports(path) if name.startswith("resnet_core.")}
    assert named - {mine} - ARROWS.get(mine, set()) - EVERYWHERE == set()


def test_the_app_stands_beside_the_command_line():
    assert {str(path) for path in tracked("pages/*.py") if any(name.startswith("resnet_core.cli") for name in imports(path))} == set()


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_light_modules_do_without_torch(name):
    run_python(f"import sys, resnet_core.{name}\nassert 'torch' not in sys.modules")


@pytest.mark.parametrize("command", ["complexity --depth 1202", "complexity --depth 57", "runs --json", "--help", "train --help"])
def test_commands_that_train_nothing_do_without_torch(command):
    run_python(
        "import sys\nsys.modules['torch'] = None\nfrom resnet_core.cli import main\n"
        f"try:\n    main({command.split()!r})\nexcept SystemExit:\n    pass\nassert sys.modules['torch'] is None"
    )


def test_files_stay_readable_in_one_go():
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in tracked("*.py")}
    assert len(lengths) > 30
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_no_file_names_a_registry_or_a_folder_of_somebodys_machine():
    # Written so that this file does not name them either.
    registries = ["pypi" + r"\.(org|python)", "python" + "hosted", "npm" + r"js\.(org|com)", "index" + "-url", "find" + "-links"]
    folders = ["/" + r"home/\w", "/" + r"Users/\w", "/" + "root/", "/" + "work/"]
    forbidden = re.compile("|".join(registries + folders))
    guilty = {}
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # images
        hits = [match[0] for match in forbidden.finditer(text)]
        if hits:
            guilty[str(path)] = hits
    assert guilty == {}
