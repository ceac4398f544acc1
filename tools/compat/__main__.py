"""``make compat``: the wheel with the lowest and the newest aws-cdk-lib, the examples with it, and a user's types."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "compat"
TOOLS = Path(sys.executable).parent


def main() -> int:
    """Run everything, and print what failed."""
    (wheel,) = (ROOT / "dist").glob("*.whl")
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lowest = [_lowest(requirement) for requirement in needed]
    failed = []
    for name, libraries in {"lowest": lowest, "newest": needed}.items():
        python = _environment(WORK / name, [*libraries, str(wheel)])
        for library in _versions(python):
            sys.stdout.write(f"{name}: {library}\n")
        sys.stdout.flush()
        if not _tests_pass(python):
            failed.append(f"the construct's tests with {', '.join(libraries)}")
    if not _examples_deploy():
        failed.append("the examples with the wheel")
    consumer = Path(shutil.copy(ROOT / "tools" / "compat" / "consumer.py", WORK))
    failed += [f"{checker.__name__.strip('_')} of {consumer}" for checker in (_mypy, _pyright) if not checker(consumer)]
    sys.stdout.writelines(f"failed: {what}\n" for what in failed)
    return 1 if failed else 0


def _lowest(requirement: str) -> str:
    """The first release that ``aws-cdk-lib>=2.200,<3`` allows."""
    found = re.fullmatch(r"([a-z-]+)>=(\d+\.\d+),<\d+", requirement)
    if found is None:
        raise ValueError(f"dependency {requirement!r}: write it as name>=1.2,<3")
    return f"{found[1]}=={found[2]}.0"


def _environment(folder: Path, packages: list[str]) -> Path:
    """A fresh virtual environment, with the versions of the test tools that development uses."""
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith("pytest")]
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *pins, *packages], check=True)
    return python


def _versions(python: Path) -> list[str]:
    frozen = subprocess.run([python, "-m", "pip", "freeze"], text=True, capture_output=True, check=True).stdout
    return [line for line in frozen.splitlines() if line.startswith(("aws-cdk-lib==", "constructs==", "jsii=="))]


def _tests_pass(python: Path) -> bool:
    """Run the construct's tests without the checkout's configuration, which would import the checkout's package."""
    options = [
        "-c",
        os.devnull,
        "--rootdir",
        str(ROOT),
        "--noconftest",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
    ]
    tests = sorted((ROOT / "tests" / "construct").glob("test_construct*.py"))
    command: list[str | Path] = [python, "-m", "pytest", "--quiet", "--numprocesses", "2", *options, *tests]
    environment = dict(os.environ) | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=WORK, env=environment, check=False).returncode == 0


def _examples_deploy() -> bool:
    """Synthesize the examples in an environment that has only the wheel, and deploy them on local AWS."""
    environment = dict(os.environ) | {"EXAMPLES_BIN": str(WORK / "newest" / "bin")}
    command: list[str | Path] = [
        TOOLS / "python",
        "-m",
        "pytest",
        "--quiet",
        ROOT / "tests" / "e2e" / "test_examples.py",
    ]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def _mypy(consumer: Path) -> bool:
    options: list[str | Path] = [
        "--strict",
        "--config-file=",
        "--python-executable",
        WORK / "newest" / "bin" / "python",
    ]
    command: list[str | Path] = [TOOLS / "mypy", *options, "--cache-dir", WORK / ".mypy_cache", consumer]
    return subprocess.run(command, cwd=WORK, check=False).returncode == 0


def _pyright(consumer: Path) -> bool:
    environment = dict(os.environ) | {"PYRIGHT_PYTHON_CACHE_DIR": str(ROOT / "build" / "pyright")}
    options: list[str | Path] = ["--pythonpath", WORK / "newest" / "bin" / "python", "--outputjson"]
    run = subprocess.run(
        [TOOLS / "pyright", *options, consumer], cwd=WORK, env=environment, text=True, capture_output=True, check=False
    )
    report = json.loads(run.stdout)
    errors = [entry for entry in report["generalDiagnostics"] if entry["severity"] == "error"]
    for error in errors:
        sys.stdout.write(f"pyright: line {error['range']['start']['line'] + 1}: {error['message']}\n")
    return report["summary"]["filesAnalyzed"] == 1 and not errors


if __name__ == "__main__":
    sys.exit(main())
