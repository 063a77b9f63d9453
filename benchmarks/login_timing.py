"""A timing attack on logins: does a refusal take longer if the account exists?

Usage: login_timing.py URL. Sends interleaved logins with wrong passwords of many lengths, for
registered and for unknown e-mail addresses. Prints the distribution of both, and the AUC (area
under the ROC curve): 0.5 if the time says nothing about the account. Each login has a loopback
address of its own, so that none is throttled.
"""

import http.client
import json
import random
import statistics
import sys
import time
from urllib.parse import urlsplit
from uuid import uuid4

TRIES = 1000
ACCOUNTS = 10
LENGTHS = (1, 12, 72, 256, 257, 5000, 60000)  # characters; a valid password has at most 256


def post(server: str, path: str, body: dict[str, str], source: str) -> tuple[int, float]:
    """Status and seconds of one request on a connection of its own."""
    connection = http.client.HTTPConnection(server, timeout=30, source_address=(source, 0))
    connection.connect()
    text = json.dumps(body)
    began = time.perf_counter()
    connection.request("POST", path, text, {"Content-Type": "application/json"})
    status = connection.getresponse().status
    seconds = time.perf_counter() - began
    connection.close()
    return status, seconds


def register(server: str) -> list[str]:
    """The e-mail addresses of new accounts."""
    emails = [f"{uuid4().hex}@example.com" for _ in range(ACCOUNTS)]
    for email in emails:
        body = {"email": email, "password": uuid4().hex}
        assert post(server, "/api/auth/register", body, "127.0.0.1")[0] == 201
    return emails


def measure(server: str, emails: list[str]) -> dict[bool, list[tuple[int, float]]]:
    """Password length and seconds of each login, by whether the account exists."""
    found: dict[bool, list[tuple[int, float]]] = {True: [], False: []}
    kinds = [True, False] * (TRIES // 2)
    random.shuffle(kinds)
    for number, is_account in enumerate(kinds):
        email = random.choice(emails) if is_account else f"{uuid4().hex}@example.com"
        length = LENGTHS[number % len(LENGTHS)]
        source = f"127.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"
        body = {"email": email, "password": "x" * length}
        status, seconds = post(server, "/api/auth/login", body, source)
        assert status == 401, status
        found[is_account].append((length, seconds))
    return found


def area_under_curve(left: list[float], right: list[float]) -> float:
    """The probability that a value of `left` is below (or above, if higher) one of `right`."""
    below = sum((a < b) + (a == b) / 2 for a in left for b in right) / (len(left) * len(right))
    return max(below, 1 - below)


def show(title: str, known: list[float], unknown: list[float]) -> None:
    """Prints both distributions and their AUC."""
    for kind, seconds in (("known", known), ("unknown", unknown)):
        cuts = statistics.quantiles(seconds, n=100)
        quantiles = "  ".join(f"p{n} {cuts[n - 1] * 1000:7.1f}" for n in (5, 25, 50, 75, 95))
        print(f"{title:>16}  {kind:8} n={len(seconds):4}  {quantiles}  (ms)")
    print(f"{title:>16}  AUC {area_under_curve(known, unknown):.3f}")


def main(server: str) -> None:
    """Prints the distributions for all, for valid and for too long passwords."""
    found = measure(server, register(server))
    show("all", *([seconds for _, seconds in found[kind]] for kind in (True, False)))
    for name, lengths in (("up to 256 chars", range(257)), ("too long", range(257, 2**16))):
        kinds = [[s for length, s in found[kind] if length in lengths] for kind in (True, False)]
        show(name, *kinds)


if __name__ == "__main__":
    main(urlsplit(sys.argv[1]).netloc)
