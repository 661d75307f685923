"""Whether a tracking server answers: asked without MLflow, whose own calls may block for minutes."""

from __future__ import annotations

import os
import ssl
import threading
from typing import Literal, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, urlopen

Reach = Literal["answers", "doubtful", "silent"]


class Answer(NamedTuple):
    """What a tracking server said: whether it answers as MLflow, and what was found."""

    reach: Reach
    text: str


def is_server(uri: str) -> bool:
    """Say whether a tracking URI is that of an MLflow server, rather than of a database or a folder."""
    return uri.startswith(("http://", "https://"))


def without_password(uri: str) -> str:
    """Return a URI as it may be shown: what stands before the ``@`` is left out of it."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}"))


def ask_server(uri: str, seconds: float = 3.0) -> Answer:
    """Ask a server's ``/health``; there is an answer after ``seconds`` at the latest."""
    answers: list[Answer] = []
    # A thread, because resolving a name has no time limit of its own.
    thread = threading.Thread(target=lambda: answers.append(_ask(uri, seconds)), daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else Answer("silent", f"no answer within {seconds:g} s")


def _ask(uri: str, seconds: float) -> Answer:
    parts = urlsplit(uri)
    # Credentials in a URL are no part of the host; MLflow takes them from its own variables.
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
    try:
        request = Request(f"{urlunsplit(bare).rstrip('/')}/health", headers={"User-Agent": "workbench"})
        with urlopen(request, timeout=seconds, context=_context()) as response:
            said = response.read(64).strip()
    except HTTPError as error:
        return _refused(error.code)
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            return Answer("doubtful", f"its certificate is not trusted here: {error.reason.verify_message}")
        return Answer("silent", f"cannot be reached: {error.reason}")
    except (OSError, ValueError) as error:  # a reset connection, a malformed host or port
        return Answer("silent", f"cannot be reached: {error}")
    if said == b"OK":
        return Answer("answers", "answers")
    return Answer("doubtful", "answers, but not as an MLflow server does")


def _refused(code: int) -> Answer:
    if code in (401, 403):
        return Answer("doubtful", f"answers, but asks for credentials (HTTP {code})")
    if code < 500:
        return Answer("doubtful", f"answers, but not as an MLflow server does (HTTP {code})")
    return Answer("silent", f"answers with an error (HTTP {code})")


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
