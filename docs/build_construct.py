"""``make docs``: docs/construct.md, the construct library's reference, from its signatures and docstrings."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "construct.md"
_NAMES = (
    "ReplicatedSecret",
    "ReplicaRegion",
    "ReplicaRemovalPolicy",
    "ReplicationProvider",
    "provider.ReplicationProviderProps",
    "IReplicationProvider",
)
_TOP = """\
# The construct library

Written by `make docs` from the docstrings in `constructs/cdk_replicated_secret/`: change those.

    from cdk_replicated_secret import {names}

`sm` stands for `aws_cdk.aws_secretsmanager`; `ec2`, `ecs`, `iam`, `kms`, `lambda_`, `logs` and `sqs` likewise.
Whole apps are in [examples](../examples/README.md).
"""
_WIDTH = 110


def build() -> str:
    """The page."""
    package = griffe.load("cdk_replicated_secret", search_paths=[ROOT / "constructs"], docstring_parser="google")
    names = ", ".join(sorted(name for name in _NAMES if "." not in name))
    blocks = [_TOP.format(names=names).rstrip()]
    for name in _NAMES:
        item = _object(package[name])
        if isinstance(item, griffe.Class):
            blocks += _class(item)
    return "\n\n".join(blocks) + "\n"


def _object(item: griffe.Object | griffe.Alias) -> griffe.Object:
    return item.final_target if isinstance(item, griffe.Alias) else item


def _class(item: griffe.Class) -> Iterator[str]:
    yield f"## {item.name}"
    bases = {str(base) for base in item.bases}
    if bases & {"Construct"} or "dataclass" in item.labels:
        yield _signature(item.name, item.parameters)
    yield from _docstring(item, item.parameters)
    members = [_object(member) for name, member in item.members.items() if not name.startswith("_")]
    if "TypedDict" in bases:
        yield "Types:\n\n" + "\n".join(f"- `{member.name}`: `{_annotation(member)}`" for member in members)
        return
    given = {parameter.name for parameter in item.parameters}
    for member in members:
        if member.name not in given:
            yield from _member(item.name, member)


def _member(owner: str, item: griffe.Object) -> Iterator[str]:
    yield f"### {owner}.{item.name}"
    if isinstance(item, griffe.Function):
        yield _signature(item.name, item.parameters, item.returns)
        yield from _docstring(item, item.parameters)
    else:
        if _annotation(item):
            yield f"    {item.name}: {_annotation(item)}"
        yield from _docstring(item)


def _annotation(item: griffe.Object) -> str:
    return str(item.annotation or "") if isinstance(item, griffe.Attribute) else ""


def _signature(name: str, parameters: griffe.Parameters, returns: object = None) -> str:
    shown: list[str] = []
    for parameter in parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is griffe.ParameterKind.keyword_only and "*" not in shown:
            shown.append("*")
        stars = "**" if parameter.kind is griffe.ParameterKind.var_keyword else ""
        default = f" = {parameter.default}" if parameter.default is not None and not stars else ""
        shown.append(f"{stars}{parameter.name}: {parameter.annotation}{default}")
    end = f") -> {returns}" if returns else ")"
    line = f"{name}({', '.join(shown)}{end}"
    if len(line) > _WIDTH:
        line = f"{name}(\n" + "".join(f"    {part},\n" for part in shown) + end
    return textwrap.indent(line, "    ")


def _docstring(item: griffe.Object, parameters: griffe.Parameters | None = None) -> Iterator[str]:
    if item.docstring is None:
        raise ValueError(f"{item.path} has no docstring: say what it is, for docs/construct.md")
    for section in item.docstring.parsed:
        if isinstance(section, griffe.DocstringSectionText):
            yield _text(section.value)
        elif isinstance(section, griffe.DocstringSectionParameters):
            yield "| argument | meaning |\n|---|---|\n" + "\n".join(
                f"| `{entry.name}` | {_line(entry.description)} |" for entry in section.value
            )
        elif isinstance(section, griffe.DocstringSectionRaises):
            yield "Raises:\n\n" + "\n".join(
                f"- `{entry.annotation}`: {_line(entry.description)}" for entry in section.value
            )
        elif isinstance(section, griffe.DocstringSectionReturns):
            yield "Returns: " + " ".join(_line(entry.description) for entry in section.value)
        else:
            raise TypeError(f"{item.path}: the page has no place for {section.kind.value}")


def _text(text: str) -> str:
    """Markdown of what is reStructuredText: an ``Example::`` is a block of Python, a line per prop is a list."""
    text, _, example = text.partition("Example::\n")
    prose = re.sub(r"^(?=``.*``: )", "- ", text, flags=re.MULTILINE).replace("``", "`").strip()
    blocks = [prose] if prose else []
    if example:
        blocks.append(f"```python\n{textwrap.dedent(example).strip()}\n```")
    return "\n\n".join(blocks)


def _line(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(build())
