"""The picture of the demo."""

from __future__ import annotations

from html import unescape

from tools.recording import picture


def test_the_picture_has_what_the_demo_printed_and_loads_nothing() -> None:
    svg = picture("cdk deploy\n  42.7 s  eu-west-3 InSync\n")
    shown = unescape(svg).replace("\xa0", " ")
    assert "$ make demo" in shown
    assert "  42.7 s  eu-west-3 InSync" in shown
    assert "url(http" not in svg
