"""Change the handler in small ways; a test has to notice each change.

``python -m tools.mutants`` exits with 1 if no test noticed a mutant and ``survivors.md`` does not explain it.
``python -m tools.mutants plan apply`` tries the mutants of these modules only.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRATCH = ROOT / "build" / "mutants"
SURVIVORS = Path(__file__).parent / "survivors.md"
HANDLER = ROOT / "handler" / "secret_replication"
# The modules without state, then those that remember what a run has done.
MODULES = ("plan", "ownership", "request", "properties", "reconcile", "memory", "apply", "observe")
# The fast tests that guard them. Each mutant is tried by those that reach it, the fastest first. One that survives
# takes half a minute; with test_dialects it would take a minute.
TESTS = (
    "unit/test_plan.py",
    "unit/test_ownership.py",
    "unit/test_request.py",
    "handler/test_contract.py",
    "handler/test_faults.py",
    "handler/test_lifecycle.py",
    "handler/test_report.py",
)
COPIED = ("tests", "local", "docs")
# mutmut looks for a package in src/, and for its settings in the pyproject.toml of the folder that it runs in.
SETTINGS = """
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
python_functions = ["test_*", "contract_*"]
pythonpath = ["."]

[tool.mutmut]
source_paths = ["src"]
only_mutate = {modules}
also_copy = {copied}
pytest_add_cli_args_test_selection = {tests}
"""


def main(arguments: Sequence[str]) -> int:
    """Make and try all mutants; 1 if one survived without an explanation."""
    modules = arguments or MODULES
    if missing := list(_missing(modules)):
        sys.exit(
            f"No such file: {', '.join(missing)}. Correct MODULES and TESTS in {Path(__file__).relative_to(ROOT)}."
        )
    _copy(modules)
    _mutmut("run", check=False)
    results = defaultdict(list)
    for name, result in re.findall(r"(\S+__mutmut_\d+): (.+)", _mutmut("results")):
        results[result].append(name)
    timeouts = results.pop("timeout", [])  # it went on for ever, which any test notices
    survived = [name for names in results.values() for name in names]
    diffs = {name: _changed(_mutmut("show", name)) for name in survived}
    explained = SURVIVORS.read_text()
    unexplained = {name: diff for name, diff in diffs.items() if diff not in explained}
    for name, diff in unexplained.items():
        print(f"{name}\n{diff}\n")
    print(f"{len(timeouts)} mutants did not come to an end: {', '.join(timeouts) or 'none'}")
    print(f"{len(survived)} mutants survived, {len(unexplained)} of them without an explanation in {SURVIVORS.name}")
    return int(bool(unexplained))


def _missing(modules: Sequence[str]) -> Iterator[str]:
    paths = [*(HANDLER / f"{module}.py" for module in modules), *(ROOT / "tests" / test for test in TESTS)]
    return (str(path.relative_to(ROOT)) for path in paths if not path.exists())


def _copy(modules: Sequence[str]) -> None:
    """Put the handler, and what its tests need, into the scratch folder."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HANDLER, SCRATCH / "src" / HANDLER.name, ignore=ignored)
    for folder in COPIED:
        shutil.copytree(ROOT / folder, SCRATCH / folder, ignore=ignored)
    settings = SETTINGS.format(
        modules=[f"src/{HANDLER.name}/{module}.py" for module in modules],
        copied=list(COPIED),
        tests=[f"tests/{test}" for test in TESTS],
    )
    (SCRATCH / "pyproject.toml").write_text(settings)


def _mutmut(*arguments: str, check: bool = True) -> str:
    """Run mutmut in the scratch folder; what it prints."""
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    done = subprocess.run(command, cwd=SCRATCH, text=True, capture_output=True, check=check)
    if not check and "mutations/second" not in done.stdout:
        sys.exit(done.stdout[-3000:] + done.stderr)
    return done.stdout


def _changed(diff: str) -> str:
    """The lines of a diff that differ."""
    lines = diff.splitlines()
    return "\n".join(line for line in lines if re.match(r"[-+](?![-+])", line))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
