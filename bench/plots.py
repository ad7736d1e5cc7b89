"""Horizontal bars as SVG, readable on light and dark pages; the same figures give the same bytes."""

import re
from html import escape

_LINE, _LABEL, _BAR, _WIDTH = 24, 190, 400, 680
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#57606a}.title{font-weight:600}.bar{fill:#8c959f}.ours{fill:#1f883d}"
    "@media(prefers-color-scheme:dark){text{fill:#adbac7}.bar{fill:#768390}.ours{fill:#57ab5a}}"
)


def name(job: str) -> str:
    """The file name of a job's plot."""
    return f"{re.sub(r'[^a-z0-9]+', '-', job.lower())}.svg"


def bars(title: str, rows: list[tuple[str, float, bool]]) -> str:
    """One bar for each (name, value, ours), shortest first, to a linear scale from zero."""
    rows = sorted(rows, key=lambda row: row[1])
    longest = max((value for _, value, _ in rows), default=0) or 1
    height = _LINE * (len(rows) + 1) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="0" y="16">{escape(title)}</text>',
    ]
    for line, (label, value, is_ours) in enumerate(rows, 1):
        top, length = line * _LINE, max(1.0, value / longest * _BAR)
        parts.append(f'<text x="{_LABEL - 8}" y="{top + 16}" text-anchor="end">{escape(label)}</text>')
        kind = "ours" if is_ours else "bar"
        parts.append(f'<rect class="{kind}" x="{_LABEL}" y="{top + 3}" width="{length:.1f}" height="{_LINE - 6}"/>')
        parts.append(f'<text x="{_LABEL + length + 6:.1f}" y="{top + 16}">{value:,.1f}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
