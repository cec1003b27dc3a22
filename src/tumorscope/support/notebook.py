"""What shows well in a notebook."""

import sys
from collections.abc import Iterable
from html import escape


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook."""
    return "ipykernel" in sys.modules


def html_table(title: str, rows: Iterable[tuple[str, str]], note: str = "") -> str:
    """Return a small table of names and values, safe to put into a page.

    Args:
        title: its heading.
        rows: name and value of each.
        note: a sentence above the rows.

    >>> html_table("run-1", [("accuracy", "87.0%")])
    '<table><caption>run-1</caption><tr><th>accuracy</th><td>87.0%</td></tr></table>'
    """
    body = "".join(f"<tr><th>{escape(n)}</th><td>{escape(v)}</td></tr>" for n, v in rows)
    above = f"<p>{escape(note)}</p>" if note else ""
    return f"{above}<table><caption>{escape(title)}</caption>{body}</table>"
