"""The page's address as a picture that a phone or headset can read."""

from __future__ import annotations

import io

import segno


def for_terminal(url: str) -> str:
    """Lines to print, with two modules in each character's height."""
    text = io.StringIO()
    segno.make_qr(url, error="l").terminal(out=text, compact=True)
    return text.getvalue()


def svg(url: str) -> bytes:
    """A picture, black on white, with the quiet zone that readers want."""
    picture = io.BytesIO()
    segno.make_qr(url, error="m").save(picture, kind="svg", scale=8, dark="#000", light="#fff", xmldecl=False)
    return picture.getvalue()
