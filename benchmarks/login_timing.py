"""Can the time of a refused log-in tell whether there is an account? usage: login_timing.py URL

Sends interleaved tries with wrong passwords, to accounts that it registers and to e-mails that
nobody has, with passwords of many lengths, and prints how both kinds of answer are distributed and
the AUC: the chance that the slower of two answers is of the likelier kind; 0.5 is a coin.
Each try comes from a loopback address of its own, so that none is held up as a guess.
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
LENGTHS = (1, 12, 72, 256, 257, 5000, 60000)  # characters; nobody's password has more than 256


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
    emails = [f"{uuid4().hex}@example.com" for _ in range(ACCOUNTS)]
    for email in emails:
        body = {"email": email, "password": uuid4().hex}
        assert post(server, "/api/auth/register", body, "127.0.0.1")[0] == 201
    return emails


def measure(server: str, emails: list[str]) -> dict[bool, list[tuple[int, float]]]:
    """Password length and seconds of each try, by whether there was an account."""
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
    """The chance that one of `left` is below one of `right`, or above, whichever is more."""
    below = sum((a < b) + (a == b) / 2 for a in left for b in right) / (len(left) * len(right))
    return max(below, 1 - below)


def show(title: str, known: list[float], unknown: list[float]) -> None:
    for kind, seconds in (("account", known), ("nobody", unknown)):
        cuts = statistics.quantiles(seconds, n=100)
        quantiles = "  ".join(f"p{n} {cuts[n - 1] * 1000:7.1f}" for n in (5, 25, 50, 75, 95))
        print(f"{title:>16}  {kind:8} n={len(seconds):4}  {quantiles}  (ms)")
    print(f"{title:>16}  AUC {area_under_curve(known, unknown):.3f}")


def main(server: str) -> None:
    found = measure(server, register(server))
    show("all", *([seconds for _, seconds in found[kind]] for kind in (True, False)))
    for name, lengths in (("up to 256 chars", range(257)), ("over-long", range(257, 2**16))):
        parts = [[s for length, s in found[kind] if length in lengths] for kind in (True, False)]
        show(name, *parts)


if __name__ == "__main__":
    main(urlsplit(sys.argv[1]).netloc)
