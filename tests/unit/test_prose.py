"""What the check of the prose finds, and what it leaves alone."""

from __future__ import annotations

import pytest

from tools.prose import docstrings_and_comments, main, problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("CloudFormation was not answered.", "'answered': write response, respond"),
        ("A look can be stale.", "'A look': write describe call"),
        ("AWS refuses it.", "'refuses': write reject"),
        ("It has no right to the key.", "'no right to': write permission"),
        ("It fails at once.", "'at once': write immediately, or at the same time"),
        ("Somebody removed it.", "'Somebody': write a person, or no one"),
        ("what becomes of a replica", "'becomes of': write happens to"),
        ("The replica is made again.", "'made again': write recreate"),
        ("A failure is no crash.", "'is no crash': write is not a"),
        ("This works, too.", "'too': write also, or too without the comma"),
        ("the organisation", "'organisation': write the American spelling"),
        ("word " * 41, "a sentence of 41 words: at most 40"),
    ],
)
def test_a_stumble_is_found(text: str, problem: str) -> None:
    assert list(problems(f"# Page\n\n{text}\n")) == [(3, problem)]


@pytest.mark.parametrize(
    "text",
    [
        "In every build, right after the call, for everything else.",
        '`refuse` and [a page](the-answer.md) and "an answer"',
        "    aws answer --at-once",
        "```console\nsomebody refused\n" + "word\n" * 41 + "```",
        "one two three four five. " * 20,
        "| " + "word " * 30 + "| " + "word " * 30 + "|",
    ],
)
def test_code_quotations_and_plain_sentences_are_left_alone(text: str) -> None:
    assert list(problems(f"{text}\n")) == []


def test_docstrings_and_comments_are_checked_and_code_is_not() -> None:
    source = '''def refuse():
    """Refuse it.

    Args:
        thing: what is refused by ``refuse``.
    """
    text = """
    refused
    """
    return text  # the answer
'''
    found = list(problems(docstrings_and_comments(source)))
    assert [(line, problem.split(":")[0]) for line, problem in found] == [
        (10, "'answer'"),
        (2, "'Refuse'"),
        (5, "'refused'"),
    ]


def test_the_checkout_passes() -> None:
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code is None
