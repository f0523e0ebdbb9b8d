"""What is built, what may import what, and whether the README tells the truth."""

import importlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "aixi"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Builds the wheel from a copy of the tracked tree, so that nothing is left in it."""
    copy, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        source, target = ROOT / name, copy / name
        if not source.is_symlink() and not source.exists():
            continue  # deleted and not yet committed
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
        else:
            target.write_bytes(source.read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        str(copy),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def tree():
    """The package's files by the name that an importer sees."""
    kinds = {".py", ".toml", ".json", ".j2", ".sqlite", ".typed"}
    found = set()
    for folder in [PACKAGE, *(link for link in PACKAGE.iterdir() if link.is_symlink())]:
        for path in folder.glob("**/*"):
            if (path.is_file() and path.suffix in kinds) or path.name == "py.typed":
                found.add(f"aixi/{path.relative_to(PACKAGE).as_posix()}")
    return found


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == tree()


def test_the_metadata_neither_caps_nor_pins(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
    required = re.findall(r"^Requires-Dist: (.*)$", wheel.read(name).decode(), re.MULTILINE)
    assert len([line for line in required if "extra ==" not in line]) == 9
    assert not [line for line in required if re.search(r"[<=]=?\d|~=", line.partition(";")[0].replace(">=", ""))]


def test_everything_tested_is_constrained():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [line for lines in (project["dependencies"], *project["optional-dependencies"].values()) for line in lines]
    names = {re.split(r"[\[>=]", line)[0] for line in wanted} - {"aixi", "setuptools"}
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    assert names == pinned


def test_imports_point_down():
    ran = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 kept, 0 broken" in ran.stdout


def test_the_readmes_python_runs(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    code = code.replace('"quick"', "str(SUITE)")  # the same call on a suite of a few cycles
    suite = tmp_path / "tiny.toml"
    suite.write_text(
        'name = "tiny"\nversion = 1\nsummary = "for this test"\ntemperature = 300.0\nseeds = 2\n'
        '[cycles]\n"aixi/CoinFlip-v0" = 30\n"aixi/Maze1D-v0" = 30\n'
    )
    program = f"from pathlib import Path\nSUITE = Path({str(suite)!r})\n{code}"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 3


@pytest.mark.parametrize("package", ["agents", "environments", "evaluation", "predictors"])
def test_every_name_that_a_package_exports_is_there(package):
    module = importlib.import_module(f"aixi.{package}")
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
