"""Sending JSON to other systems over HTTP: signed, retried, and never followed elsewhere."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gamelake.errors import GamelakeError, OperatorError, StoreError
from gamelake.jobs.base import retry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_RETRIED = {408, 425, 429}  # and every 5xx


@dataclass(frozen=True)
class Delivery:
    """How a delivery ended; `problem` is empty when the receiver took it."""

    tries: int
    status: int | None = None
    problem: str = ""


def deliver(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float,
    tries: int,
    pause: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Delivery:
    """POST a body; what may pass (no answer, 5xx, 429) is tried again after doubling pauses. Never raises.

    A redirect is refused: a signed body goes to the address in the settings and nowhere else.
    """
    import httpx

    made = 0

    def attempt() -> int:
        nonlocal made
        made += 1
        try:
            answer = client.post(url, content=body, headers=dict(headers))
        except httpx.HTTPError as err:
            problem = f"no answer: {type(err).__name__}: {err}".rstrip(": ")
            raise StoreError(problem) from err
        if answer.is_success:
            return answer.status_code
        if answer.status_code in _RETRIED or answer.is_server_error:
            raise StoreError(f"answered {answer.status_code}")
        word = "a redirect, which is not followed" if answer.has_redirect_location else "refused"
        raise OperatorError(f"answered {answer.status_code}: {word}")

    try:
        with httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False) as client:
            status = retry(attempt, tries=tries, pause=pause, sleep=sleep)
    except GamelakeError as err:
        return Delivery(made, problem=err.problem)
    except (httpx.InvalidURL, ValueError) as err:
        return Delivery(made, problem=f"the address cannot be used: {err}")
    return Delivery(made, status)


def signature(secret: str, moment: str, body: bytes) -> str:
    """What proves that a body comes from who knows the secret, and when it was sent.

    >>> signature("s", "0", b"{}")[:14]
    'sha256=e79b1f6'
    """
    digest = hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def secret_of(variable: str) -> str | None:
    """A secret from the environment: the variable, or the file that `<variable>_FILE` names."""
    value = os.environ.get(variable)
    if value:
        return value
    file = os.environ.get(f"{variable}_FILE")
    if not file:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip() or None
    except OSError as err:
        problem = f"the file that `{variable}_FILE` names cannot be read: {err.strerror}"
        raise OperatorError(problem) from err


def shown_url(url: str) -> str:
    """An address as it may be stored: paths of hooks are often secrets.

    >>> shown_url("https://user:x@hooks.example.com:8443/T000/B000")
    'https://hooks.example.com:8443'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
