"""Mutants: the planner, the ownership tags and the parser are changed in small ways; a test has to notice each.

``python -m tools.mutants`` exits with 1 for a mutant that no test noticed and that ``survivors.md`` does not explain.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRATCH = ROOT / "build" / "mutants"
SURVIVORS = Path(__file__).parent / "survivors.md"
MODULES = ("plan", "ownership", "request", "properties")
TESTS = ("test_plan", "test_ownership", "test_request")
# mutmut looks for a package in src/, and for its settings in the pyproject.toml of the folder that it runs in.
SETTINGS = f"""
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]

[tool.mutmut]
source_paths = ["src"]
only_mutate = {[f"src/secret_replication/{module}.py" for module in MODULES]}
also_copy = ["tests", "local", "docs"]
pytest_add_cli_args_test_selection = {[f"tests/{test}.py" for test in TESTS]}
"""


def main() -> int:
    """Make and try all mutants; how many survived without an explanation, as far as an exit code goes."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "handler" / "secret_replication", SCRATCH / "src" / "secret_replication", ignore=ignored)
    for folder in ("tests", "local", "docs"):
        shutil.copytree(ROOT / folder, SCRATCH / folder, ignore=ignored)
    (SCRATCH / "pyproject.toml").write_text(SETTINGS)
    mutmut("run", check=False)
    survived = re.findall(r"(\S+): (?:survived|no tests|timeout|suspicious|not checked)", mutmut("results"))
    diffs = {name: changed(mutmut("show", name)) for name in survived}
    explained = SURVIVORS.read_text()
    unexplained = {name: diff for name, diff in diffs.items() if diff not in explained}
    for name, diff in unexplained.items():
        print(f"{name}\n{diff}\n")
    print(f"{len(survived)} mutants survived, {len(unexplained)} of them without an explanation in {SURVIVORS.name}")
    return int(bool(unexplained))


def mutmut(*arguments: str, check: bool = True) -> str:
    """Run mutmut in the scratch folder; what it prints."""
    command = [str(Path(sys.executable).with_name("mutmut")), *arguments]
    done = subprocess.run(command, cwd=SCRATCH, text=True, capture_output=True, check=check)
    if not check and "mutations/second" not in done.stdout:
        sys.exit(done.stdout[-3000:] + done.stderr)
    return done.stdout


def changed(diff: str) -> str:
    """The lines of a diff that differ."""
    lines = diff.splitlines()
    return "\n".join(line for line in lines if re.match(r"[-+](?![-+])", line))


if __name__ == "__main__":
    sys.exit(main())
