"""The picture of the demo."""

from __future__ import annotations

from html import unescape

from local.demo.screen import Screen
from tools.recording import picture, recorder


def test_the_picture_has_what_the_demo_showed_last_and_loads_nothing() -> None:
    console = recorder("make demo")
    screen, status = Screen(console, live=True), "InProgress"
    with screen.watch(lambda: {"eu-west-3": status}) as again:
        status = "InSync"
        again()
    svg = picture(console)
    shown = unescape(svg).replace("\xa0", " ")
    assert "$ make demo" in shown
    assert shown.count("eu-west-3") == 1
    assert "InSync" in shown
    assert "url(http" not in svg
