"""The pieces a report page is put together from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files


@dataclass(frozen=True)
class Section:
    """A chapter of the page."""

    anchor: str
    title: str
    lead: str
    """What it found, in one or two sentences; HTML."""
    body: str
    """HTML."""


def page(*, title: str, subtitle: str, overview: str, sections: Sequence[Section]) -> str:
    """The whole page: one file that needs nothing else."""
    style = files("apprentice.report").joinpath("style.css").read_text(encoding="utf-8")
    links = "".join(f'<a href="#{section.anchor}">{escape(section.title)}</a>' for section in sections)
    chapters = "".join(_chapter(section) for section in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></header>\n"
        f"<nav>{links}</nav>\n<main>\n{overview}\n{chapters}</main>\n</body>\n</html>\n"
    )


def _chapter(section: Section) -> str:
    lead = f'<p class="lead">{section.lead}</p>' if section.lead else ""
    return f'<section id="{section.anchor}">\n<h2>{escape(section.title)}</h2>\n{lead}\n{section.body}\n</section>\n'


def figure(content: str, title: str, caption: str = "", *, wide: bool = False) -> str:
    """A plot with what it shows above it, and how to read it below; across the page if `wide`."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    kind = ' class="wide"' if wide else ""
    return f"<figure{kind}><h3>{escape(title)}</h3>{content}{below}</figure>"


def grid(items: Sequence[str], kind: str = "grid") -> str:
    """Items beside each other, as many as the screen is wide."""
    return f'<div class="{kind}">{"".join(items)}</div>' if items else ""


def tile(value: str, label: str, detail: str = "") -> str:
    """A number that matters."""
    return _tile("tile", value, label, detail)


def hero(value: str, label: str, detail: str, plot: str) -> str:
    """The number that matters most, with its plot."""
    return _tile("tile hero", value, label, detail, plot)


def _tile(kind: str, value: str, label: str, detail: str, plot: str = "") -> str:
    below = f'<p class="detail">{escape(detail)}</p>' if detail else ""
    top = f'<p class="label">{escape(label)}</p><p class="value">{escape(value)}</p>'
    return f'<div class="{kind}">{top}{below}{plot}</div>'


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, words: Sequence[int] = ()) -> str:
    """Text cells; the first column names the row, and columns `words` hold sentences."""
    kinds = ["" if index not in words else ' class="words"' for index in range(len(header))]
    head = "".join(f"<th{kind}>{escape(cell)}</th>" for kind, cell in zip(kinds, header, strict=True))
    body = "".join(
        f"<tr><th{kinds[0]}>{escape(row[0])}</th>"
        + "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds[1:], row[1:], strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values, without a header."""
    body = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f'<dl class="facts">{body}</dl>' if body else ""


def missing(text: str) -> str:
    """Says that a part is not there."""
    return f'<p class="missing">{escape(text)}</p>'


def command(text: str) -> str:
    """The command that made the numbers above it."""
    return f'<pre class="command"><code>{escape(text)}</code></pre>' if text else ""
