"""A bar chart as SVG, for light and dark pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 720, 70, 260, 30, 50

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a }
.limit { fill: #8c959f; opacity: .25 }
.share { fill: #2f81f7 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9da7b3 } }
"""


@dataclass(frozen=True)
class Bar:
    """One load: the service's share of the rate of PostgreSQL alone, and a note beside it."""

    name: str
    share: float
    note: str


def draw(bars: Sequence[Bar], place: str) -> str:
    """The chart; `place` describes the machine."""
    title = "Share of the rate of PostgreSQL alone with the same SQL"
    width, height = WIDTH - LEFT - RIGHT, TOP + ROW * len(bars) + 6
    summary = ", ".join(f"{bar.name} {bar.share:.0%} ({bar.note})" for bar in bars)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(f'{title}: {summary}')}</title>",
        f"<style>{STYLE}</style>",
        f'<text x="0" y="16">{escape(title)}</text>',
        f'<text x="0" y="34" class="small">{escape(place)}</text>',
    ]
    for number, bar in enumerate(bars):
        top = TOP + ROW * number
        part = round(width * min(1, bar.share))
        lines += [
            f'<text x="0" y="{top + 15}">{escape(bar.name)}</text>',
            f'<rect class="limit" x="{LEFT}" y="{top}" width="{width}" height="20" rx="3"/>',
            f'<rect class="share" x="{LEFT}" y="{top}" width="{part}" height="20" rx="3"/>',
            f'<text x="{LEFT + width + 10}" y="{top + 15}">{bar.share:.0%}</text>',
            f'<text x="{LEFT + width + 55}" y="{top + 15}">{escape(bar.note)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
