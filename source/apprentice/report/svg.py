"""Plots as inline SVG. Colours come from the page's style sheet, so they follow its light and dark mode."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apprentice.report.words import count, interval, number, percent

WIDTH = 400
"""Width of a plot in its own units: little more than its pixels on a phone, so that its text stays legible there."""
WIDE = 800
"""Width of a plot across the page."""
MAP_WIDTH = 340
"""Width of a map; three of them stand side by side."""
MOST_POINTS = 3000
"""Points drawn of one kind; of more, an even selection."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """Maps values to positions in a plot."""

    low: float
    high: float
    start: float
    """Position of `low`."""
    end: float
    """Position of `high`."""
    log: bool = False
    """Whether the scale is logarithmic."""

    def __call__(self, values: ArrayLike) -> Floats:
        """Positions of values, of any shape."""
        at = np.asarray(values, dtype=np.float64)
        low, high = self.low, self.high
        if self.log:
            at, low, high = np.log10(np.maximum(at, self.low * 1e-3)), math.log10(low), math.log10(high)
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def ticks(self, about: int) -> list[float]:
        """Round values inside the axis."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            powers = [10.0**power for power in range(first, last + 1)]
            steps = (1, 2, 5) if len(powers) < 3 else (1,)
            fine = [10.0**power * step for power in range(first - 1, last + 1) for step in steps]
            return [tick for tick in fine if self.low * 0.999 <= tick <= self.high * 1.001]
        rough = (self.high - self.low) / about
        scale = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * scale for factor in (1, 2, 5, 10) if factor * scale >= rough * 0.999)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        if first > last:  # between two round values
            step /= 2
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def axis(values: ArrayLike, start: float, end: float, *, log: bool = False, zero: bool = False) -> Axis:
    """An axis that holds all values; from zero if asked."""
    at = np.asarray(values, dtype=np.float64)
    low, high = float(at.min()), float(at.max())
    if zero:
        low = min(low, 0.0)
    if high <= low:
        low, high = (low / 2, low * 2) if log else (low - 0.5, low + 0.5)
    return Axis(low, high, start, end, log)


@dataclass(frozen=True)
class Curve:
    """One line of a plot."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def curves(lines: Sequence[Curve], *, x_label: str, log: bool = False, width: int = WIDTH) -> str:
    """Lines over a common axis, the last value written beside the name of each."""
    height, top, bottom, left = 250, 14 + 18 * len(lines), 40, 52
    all_x = np.concatenate([np.asarray(line.x, dtype=np.float64) for line in lines])
    all_y = np.concatenate([np.asarray(line.y, dtype=np.float64) for line in lines])
    x = axis(all_x, left, width - 14)
    y = axis(all_y, height - bottom, top, log=log)
    parts = [_grid(x, y, x_label=x_label, y_label="")]
    for index, line in enumerate(lines):
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in _thin(np.stack((x(line.x), y(line.y)), axis=1)))
        legend = f"{line.name}  {number(line.y[-1])}"
        kind = f"curve c{index % 4}" + (" dashed" if index >= 4 else "")
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
        parts.append(f'<path class="{kind}" d="M{left} {10 + 18 * index}h16"/>')
        parts.append(_text(left + 22, 14 + 18 * index, legend, "label"))
    return _svg(height, parts, f"{', '.join(line.name for line in lines)} over {x_label}", width)


def scatter(x_m: ArrayLike, y_m: ArrayLike, success: ArrayLike, *, title: str) -> str:
    """Initial positions in the plane at one scale for both axes: dots for successes, crosses for failures."""
    px, py = np.asarray(x_m, dtype=np.float64), np.asarray(y_m, dtype=np.float64)
    good = np.asarray(success, dtype=bool)
    left, right, top, bottom = 50, MAP_WIDTH - 8, 8, 40
    span_x, span_y = max(float(np.ptp(px)), 0.02) * 1.12, max(float(np.ptp(py)), 0.02) * 1.12
    scale = min((right - left) / span_x, 280 / span_y)
    height = int(top + max(scale * span_y, 120) + bottom)
    half_x, half_y = (right - left) / scale / 2, (height - top - bottom) / scale / 2
    middle_x, middle_y = (float(px.min() + px.max()) / 2, float(py.min() + py.max()) / 2)
    x = Axis(middle_x - half_x, middle_x + half_x, left, right)
    y = Axis(middle_y - half_y, middle_y + half_y, height - bottom, top)
    at = np.stack((x(px), y(py)), axis=1)
    dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in _thin(at[good]))
    crosses = "".join(f"M{a - 2.5:.1f} {b - 2.5:.1f}l5 5m-5 0l5-5" for a, b in _thin(at[~good]))
    parts = [
        _grid(x, y, x_label="x (m)", y_label="y (m)"),
        f'<path class="dots success" d="{dots}"/>',
        f'<path class="crosses failure" d="{crosses}"/>',
    ]
    return _svg(
        height, parts, f"{title}: {int(good.sum())} successes, {int((~good).sum())} failures by position", MAP_WIDTH
    )


def cells(
    x_edges: Sequence[float],
    y_edges: Sequence[float],
    tried: Floats,
    won: Floats,
    *,
    title: str,
    noun: str = "attempts",
) -> str:
    """A grid over the plane, each cell coloured by its share of successes, with attempts and failures written in it.

    Args:
        x_edges: Ends of the cells along x (m). X + 1 of them.
        y_edges: Likewise along y. Y + 1 of them.
        tried: Attempts. Shape (X, Y).
        won: Successes. Shape (X, Y).
        title: What it is a map of.
        noun: What was tried.
    """
    left, right, top, bottom = 50, MAP_WIDTH - 8, 8, 40
    span_x, span_y = max(x_edges[-1] - x_edges[0], 0.02), max(y_edges[-1] - y_edges[0], 0.02)
    height = int(top + min(max((right - left) * span_y / span_x, 120), 300) + bottom)
    x = Axis(x_edges[0], x_edges[0] + span_x, left, right)
    y = Axis(y_edges[0], y_edges[0] + span_y, height - bottom, top)
    parts = [_grid(x, y, x_label="x (m)", y_label="y (m)")]
    for i, j in np.ndindex(tried.shape):
        (a, b), (c, d) = x(x_edges[i : i + 2]), y(y_edges[j : j + 2])
        box = f'x="{a + 1:.1f}" y="{d + 1:.1f}" width="{max(b - a - 2, 1):.1f}" height="{max(c - d - 2, 1):.1f}"'
        attempts, failed = int(tried[i, j]), int(tried[i, j] - won[i, j])
        told = f"{attempts:,} {noun}, {failed:,} failed" if attempts else "never drawn"
        parts.append(f'<rect class="rail" {box} rx="2"><title>{told}</title></rect>')
        if attempts:
            share = failed / attempts
            parts.append(f'<rect class="fill success" {box} rx="2" style="opacity:{0.75 * (1 - share):.2f}"/>')
            parts.append(f'<rect class="fill failure" {box} rx="2" style="opacity:{share:.2f}"/>')
            text = f"{failed}/{attempts}" if failed else f"{attempts}"
            parts.append(_text((a + b) / 2, (c + d) / 2 + 4, text, "cell", anchor="middle"))
    return _svg(
        height, parts, f"{title}: {int(won.sum())} successes of {int(tried.sum())} {noun} by position", MAP_WIDTH
    )


def histogram(values: Sequence[float], *, x_label: str, noun: str) -> str:
    """How often each range of values occurs."""
    height, top, bottom, left = 220, 12, 40, 52
    counts, edges = np.histogram(np.asarray(values, dtype=np.float64), bins=min(30, max(6, len(values) // 8)))
    x = axis(edges, left, WIDTH - 14)
    y = axis(counts, height - bottom, top, zero=True)
    parts = [_grid(x, y, x_label=x_label, y_label=noun)]
    for amount, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        a, b, peak = float(x(low)), float(x(high)), float(y(amount))
        title = escape(f"{number(float(low))} to {number(float(high))}: {count(float(amount))} {noun}")
        parts.append(
            f'<rect class="bar" x="{a + 0.75:.1f}" y="{peak:.1f}" width="{max(b - a - 1.5, 0.5):.1f}" '
            f'height="{height - bottom - peak:.1f}"><title>{title}</title></rect>'
        )
    return _svg(height, parts, f"Histogram of {x_label}")


@dataclass(frozen=True)
class Share:
    """One row of `shares`."""

    label: str
    total: int
    failed: int


def shares(rows: Sequence[Share], *, noun: str) -> str:
    """Of how many tries each row failed, as stacked bars on one scale."""
    row_height, top = 46, 2
    height = top + row_height * len(rows)
    most = max(row.total for row in rows) or 1
    parts: list[str] = []
    for index, row in enumerate(rows):
        y = top + index * row_height
        full = (WIDTH - 2) * row.total / most
        bad = full * row.failed / row.total if row.total else 0.0
        if 0 < bad < 3:
            bad = 3.0  # a failure stays visible
        rate = f"{row.failed:,} of {row.total:,} {noun} failed"
        if row.total:
            rate += f" ({percent(row.failed / row.total)})"
        parts.append(_text(0, y + 14, row.label, "strong"))
        parts.append(_text(WIDTH - 2, y + 14, rate, "label", anchor="end"))
        parts.append(f'<rect class="fill success" x="0" y="{y + 21}" width="{full:.1f}" height="13" rx="2"/>')
        parts.append(
            f'<rect class="fill failure" x="{full - bad:.1f}" y="{y + 21}" width="{bad:.1f}" height="13" rx="2"/>'
        )
    return _svg(height, parts, f"Failures by row, of {noun}")


def rate(value: float, ends: Sequence[float]) -> str:
    """A rate with its interval, on the scale from 0 to 100 %."""
    x = Axis(0.0, 1.0, 8, WIDTH - 8)
    low, high = float(x(ends[0])), float(x(ends[1]))
    parts = [f'<path class="rail" d="M{x.start} 14H{x.end}"/>']
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        anchor = "start" if tick == 0 else "end" if tick == 1 else "middle"
        at = float(x(tick)) + (-8 if tick == 0 else 8 if tick == 1 else 0)
        parts.append(_text(at, 40, percent(tick, 0), "tick", anchor=anchor))
    parts.append(f'<path class="span" d="M{low:.1f} 14H{high:.1f}"/>')
    parts.append(f'<circle class="mark" cx="{float(x(value)):.1f}" cy="14" r="6"/>')
    return _svg(46, parts, f"{percent(value)}, 95 % interval {interval(ends)}")


@dataclass(frozen=True)
class Span:
    """One row of `spans`."""

    label: str
    value: float
    ends: Sequence[float]
    soft: bool = False
    """Whether it is drawn as one that says little."""


def spans(rows: Sequence[Span], *, low: float, high: float, text: Callable[[float], str], zero: bool = False) -> str:
    """Values with their intervals below each other, on one scale from `low` to `high`; a line at zero if asked."""
    row_height, top, bottom = 40, 4, 24
    height = top + row_height * len(rows) + bottom
    x = axis([low, high], 8, WIDE - 8)
    parts: list[str] = []
    for tick in x.ticks(8):
        at = float(x(tick))
        parts.append(f'<path class="grid" d="M{at:.1f} {top}V{height - bottom}"/>')
        parts.append(_text(at, height - 8, text(tick), "tick", anchor="middle"))
    if zero:
        parts.append(f'<path class="base" d="M{float(x(0)):.1f} {top}V{height - bottom}"/>')
    for index, row in enumerate(rows):
        y, soft = top + row_height * index, " soft" if row.soft else ""
        a, b, at = (float(x(value)) for value in (*row.ends, row.value))
        told = f"{text(row.value)}  [{text(row.ends[0])}, {text(row.ends[1])}]"
        parts.append(_text(8, y + 12, row.label, "strong"))
        parts.append(_text(WIDE - 8, y + 12, told, "label", anchor="end"))
        parts.append(f'<path class="span{soft}" d="M{a:.1f} {y + 26}H{b:.1f}"/>')
        parts.append(f'<circle class="mark{soft}" cx="{at:.1f}" cy="{y + 26}" r="5"/>')
    return _svg(height, parts, "; ".join(f"{row.label}: {text(row.value)}" for row in rows), WIDE)


def _grid(x: Axis, y: Axis, *, x_label: str, y_label: str) -> str:
    parts: list[str] = []
    for tick in y.ticks(5):
        at = float(y(tick))
        parts.append(f'<path class="grid" d="M{x.start:.1f} {at:.1f}H{x.end:.1f}"/>')
        parts.append(_text(x.start - 7, at + 4, number(tick), "tick", anchor="end"))
    for tick in x.ticks(round((x.end - x.start) / 50)):
        at = float(x(tick))
        parts.append(f'<path class="grid" d="M{at:.1f} {y.start:.1f}v4"/>')
        parts.append(_text(at, y.start + 17, number(tick), "tick", anchor="middle"))
    parts.append(f'<path class="base" d="M{x.start:.1f} {y.start:.1f}H{x.end:.1f}"/>')
    parts.append(_text((x.start + x.end) / 2, y.start + 34, x_label, "label", anchor="middle"))
    if y_label:
        middle = (y.start + y.end) / 2
        parts.append(
            f'<text class="label" text-anchor="middle" transform="translate(11 {middle:.1f}) rotate(-90)">'
            f"{escape(y_label)}</text>"
        )
    return "".join(parts)


def _thin(points: Floats) -> list[list[float]]:
    if len(points) > MOST_POINTS:
        points = points[np.linspace(0, len(points) - 1, MOST_POINTS).astype(int)]
    return points.tolist()


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, parts: Sequence[str], description: str, width: int = WIDTH) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(description, quote=True)}">'
        f"{''.join(parts)}</svg>"
    )
