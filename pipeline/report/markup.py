"""Pages out of templates, and the policy that a page holds its browser to."""

import base64
import hashlib
from typing import Any

import jinja2


def environment(**filters: Any) -> jinja2.Environment:
    """The templates of the report; what they show of values is escaped."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= filters
    return made


def policy(style: str, script: str, beside: bool = False) -> str:
    """A page's Content-Security-Policy: its own style and script, which their hashes
    name, and pictures inside it; with `beside` also scripts and sounds that lie with
    it. Whatever else a name may smuggle in is not run, and nothing is fetched or sent.
    """
    parts = [
        "default-src 'none'",
        "img-src data:",
        f"style-src {_named(style)}",
        f"script-src {_named(script)}" + " 'self'" * beside,
        *["media-src 'self'"] * beside,
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join(parts)


def _named(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
