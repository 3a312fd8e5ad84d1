"""A drawing of what reads what: layers as columns, steps or datasets as boxes, for inline SVG."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH, HEIGHT = 196, 50
GAP_X, GAP_Y, MARGIN, HEAD = 40, 14, 14, 28
_LAYERS = ("bronze", "silver", "gold")
_TONES = {
    "succeeded": ("good", "✓"),
    "published": ("good", "✓"),
    "fresh": ("good", "✓"),
    "unchanged": ("", "="),
    "queued": ("", "…"),
    "failed": ("bad", "✗"),
    "warning": ("warn", "!"),
    "stale": ("warn", "~"),
    "interrupted": ("warn", "!"),
    "running": ("busy", "▸"),
    "staged": ("busy", "▸"),
    "audited": ("busy", "▸"),
}


@dataclass(frozen=True)
class Node:
    """One box: a step or a dataset; `state` decides its tone and mark."""

    id: str
    title: str
    layer: str
    note: str = ""
    state: str = ""
    href: str = ""
    here: bool = False


@dataclass(frozen=True)
class Box:
    """A node with its place, in SVG units."""

    node: Node
    x: int
    y: int
    tone: str
    mark: str

    @property
    def label(self) -> str:
        """The title, cut to what fits the box."""
        room = 22
        return self.node.title if len(self.node.title) <= room else self.node.title[: room - 1] + "…"


@dataclass(frozen=True)
class Drawing:
    """Boxes, curves between them and one heading per layer."""

    width: int
    height: int
    boxes: list[Box] = field(default_factory=list)
    curves: list[str] = field(default_factory=list)
    heads: list[tuple[str, int, int]] = field(default_factory=list)  # layer, x, width


def draw(nodes: Sequence[Node], edges: Iterable[tuple[str, str]]) -> Drawing:
    """Place every node right of all it reads, never left of its layer's first column."""
    known = {node.id: node for node in nodes}
    links = sorted({(a, b) for a, b in edges if a in known and b in known and a != b})
    parents: dict[str, list[str]] = {name: [] for name in known}
    for above, below in links:
        parents[below].append(above)
    depth = _depths(known, parents)
    keys = sorted({_column(node, depth) for node in nodes})
    columns = {key: index for index, key in enumerate(keys)}
    places: dict[str, tuple[int, int]] = {}
    tallest = 0
    for key in keys:
        members = [node for node in nodes if _column(node, depth) == key]
        members.sort(key=lambda node: (_pull(node, parents, places), node.title))
        for row, node in enumerate(members):
            x = MARGIN + columns[key] * (WIDTH + GAP_X)
            places[node.id] = (x, HEAD + MARGIN + row * (HEIGHT + GAP_Y))
        tallest = max(tallest, len(members))
    boxes = [Box(node, *places[node.id], *_TONES.get(node.state, ("", "·"))) for node in nodes]
    curves = [_curve(places[above], places[below]) for above, below in links]
    width = MARGIN * 2 + len(keys) * WIDTH + max(0, len(keys) - 1) * GAP_X
    height = HEAD + MARGIN * 2 + tallest * (HEIGHT + GAP_Y) - GAP_Y
    return Drawing(width, height, boxes, curves, _heads(keys, columns))


def _depths(known: Mapping[str, Node], parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    depth: dict[str, int] = {}

    def visit(name: str, path: frozenset[str]) -> int:
        if name not in depth:
            above = [visit(parent, path | {name}) for parent in parents[name] if parent not in path]
            depth[name] = 1 + max(above, default=-1)
        return depth[name]

    for name in known:
        visit(name, frozenset())
    return depth


def _column(node: Node, depth: Mapping[str, int]) -> tuple[int, int]:
    return (_LAYERS.index(node.layer) if node.layer in _LAYERS else 0, depth[node.id])


def _pull(node: Node, parents: Mapping[str, Sequence[str]], places: Mapping[str, tuple[int, int]]) -> float:
    """Mean height of what the node reads, so that curves cross little."""
    heights = [places[parent][1] for parent in parents[node.id] if parent in places]
    return sum(heights) / len(heights) if heights else 0.0


def _curve(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + WIDTH, start[1] + HEIGHT // 2
    x2, y2 = end[0], end[1] + HEIGHT // 2
    bend = max(24, abs(x2 - x1) // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def _heads(
    keys: Sequence[tuple[int, int]], columns: Mapping[tuple[int, int], int]
) -> list[tuple[str, int, int]]:
    heads = []
    for rank, layer in enumerate(_LAYERS):
        mine = [columns[key] for key in keys if key[0] == rank]
        if mine:
            x = MARGIN + min(mine) * (WIDTH + GAP_X) - 8
            width = len(mine) * WIDTH + (len(mine) - 1) * GAP_X + 16
            heads.append((layer, x, width))
    return heads
