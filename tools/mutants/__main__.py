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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRATCH = ROOT / "build" / "mutants"
SURVIVORS = Path(__file__).parent / "survivors.md"
HANDLER = ROOT / "handler" / "secret_replication"
MUTMUT = Path(sys.executable).with_name("mutmut")


@dataclass(frozen=True)
class Group:
    """Modules, and the fast tests that guard them. Each mutant is tried with those that reach it, the fastest first."""

    modules: Sequence[str]
    tests: Sequence[str]


GROUPS = (
    # Pure functions: trying a survivor takes a second.
    Group(
        modules=("plan", "ownership", "request", "properties"),
        tests=("unit/test_plan.py", "unit/test_ownership.py", "unit/test_request.py"),
    ),
    # Modules that remember what a run has done: trying a survivor takes half a minute, and with test_dialects a minute.
    Group(
        modules=("reconcile", "watch", "attempts", "apply", "observe"),
        tests=(
            "handler/test_contract.py",
            "handler/test_denied.py",
            "handler/test_faults.py",
            "handler/test_lag.py",
            "handler/test_lifecycle.py",
            "handler/test_lost_tags.py",
            "handler/test_promoted.py",
            "handler/test_report.py",
            "unit/test_apply.py",
            "unit/test_attempts.py",
            "unit/test_observe.py",
            "unit/test_reconcile.py",
            "unit/test_watch.py",
        ),
    ),
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


def main(chosen: Sequence[str]) -> int:
    """Make and try all mutants. Returns 1 if one survived without an explanation."""
    known = [module for group in GROUPS for module in group.modules]
    paths = [HANDLER / f"{module}.py" for module in known]
    paths += [ROOT / "tests" / test for group in GROUPS for test in group.tests]
    missing = [str(path.relative_to(ROOT)) for path in paths if not path.exists()]
    if missing:
        sys.exit(f"No such file: {', '.join(missing)}. Correct GROUPS in {Path(__file__).relative_to(ROOT)}.")
    if unknown := sorted(set(chosen) - set(known)):
        sys.exit(f"No such module: {', '.join(unknown)}. Choose from {', '.join(known)}.")
    results: dict[str, list[str]] = defaultdict(list)
    diffs: dict[str, str] = {}
    for group in GROUPS:
        modules = [module for module in group.modules if module in (chosen or known)]
        if modules:
            print(f"{', '.join(modules)}: each mutant meets the tests that reach it", flush=True)
            for name, (result, diff) in _survivors(modules, group.tests).items():
                results[result].append(name)
                diffs[name] = diff
    timeouts = results.pop("timeout", [])  # it ran forever, which any test notices
    survived = [name for names in results.values() for name in names]
    explained = SURVIVORS.read_text()
    unexplained = {name: diffs[name] for name in survived if diffs[name] not in explained}
    for name, diff in unexplained.items():
        print(f"{name}\n{diff}\n")
    print(f"{len(timeouts)} mutants ran forever, which counts as caught: {', '.join(timeouts) or 'none'}")
    print(f"{len(survived)} mutants survived, {len(unexplained)} of them without an explanation in {SURVIVORS.name}")
    return int(bool(unexplained))


def _survivors(modules: Sequence[str], tests: Sequence[str]) -> dict[str, tuple[str, str]]:
    """The mutants that were not killed, each with mutmut's result and the lines that differ."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HANDLER, SCRATCH / "src" / HANDLER.name, ignore=ignored)
    for folder in COPIED:
        shutil.copytree(ROOT / folder, SCRATCH / folder, ignore=ignored)
    settings = SETTINGS.format(
        modules=[f"src/{HANDLER.name}/{module}.py" for module in modules],
        copied=list(COPIED),
        tests=[f"tests/{test}" for test in tests],
    )
    (SCRATCH / "pyproject.toml").write_text(settings)
    subprocess.run([MUTMUT, "run"], cwd=SCRATCH, check=False)
    found = re.findall(r"(\S+__mutmut_\d+): (.+)", _mutmut("results"))
    if any(result == "not checked" for _, result in found):
        sys.exit("mutmut stopped before it had tried every mutant; its last lines say why")
    return {name: (result, _changed(_mutmut("show", name))) for name, result in found}


def _mutmut(*arguments: str) -> str:
    """Ask mutmut in the scratch folder about its last run. Returns what it prints."""
    return subprocess.run([MUTMUT, *arguments], cwd=SCRATCH, text=True, capture_output=True, check=True).stdout


def _changed(diff: str) -> str:
    """The lines of a diff that differ."""
    lines = diff.splitlines()
    return "\n".join(line for line in lines if re.match(r"[-+](?![-+])", line))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
