"""What idle event streams cost; usage: python -m benchmarks.streams

Opens 1,000 and then 10,000 streams of 1,000 users at `flask events`, and prints the CPU time of it
and of PostgreSQL, and its memory, while they are idle. Then a few clients read tasks at a steady
pace, in turns without and with 1,000 streams that were opened at the API's address; prints the p95.
"""

import asyncio
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks import stage
from benchmarks.login_storm import read_tasks
from benchmarks.tokens import issue

USERS, STREAMS = 1000, (1000, 10_000)
IDLE = 30.0  # seconds
READERS, PHASE, ROUNDS = 4, 5.0, 8  # seconds of a phase; in turns, as the machine is not alone
ADD_USERS = """
    WITH made AS (
        INSERT INTO users (id, email, email_key)
        SELECT id, id || '@example.com', id || '@example.com'
        FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, %s)) AS ids
        RETURNING id
    ), opened AS (
        INSERT INTO sessions (owner_id, id, token_hash)
        SELECT id, id, sha256(id::text::bytea) FROM made
    )
    INSERT INTO ledgers (owner_id) SELECT id FROM made RETURNING owner_id::text
"""


class Client(asyncio.Protocol):
    """A stream that is open once something has come."""

    def __init__(self, token: str) -> None:
        self._token, self.opened = token, asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the stream."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        head = "GET /api/me/events HTTP/1.1\r\nHost: localhost\r\n"
        transport.write(f"{head}Authorization: Bearer {self._token}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Notes that the stream is open."""
        if not self.opened.done():
            assert data.startswith(b"HTTP/1.1 200"), data[:500]
            self.opened.set_result(None)


async def open_streams(port: int, tokens: Sequence[str]) -> list[Client]:
    """A stream for each of the tokens, 50 at a time."""
    loop, clients = asyncio.get_running_loop(), []
    for first in range(0, len(tokens), 50):
        made = await asyncio.gather(
            *(
                loop.create_connection(partial(Client, token), "127.0.0.1", port)
                for token in tokens[first : first + 50]
            )
        )
        clients += [client for _, client in made]
        await asyncio.gather(*(client.opened for _, client in made))
    return clients


async def close(clients: Sequence[Client]) -> None:
    """Leaves the streams, and waits until the server knows."""
    for client in clients:
        client.transport.abort()
    await asyncio.sleep(2)


async def idle(port: int, pid: int, postgres: int, tokens: Sequence[str]) -> None:
    """Prints what idle streams take."""
    base, kept = stage.memory(pid), list[Client]()
    print(f"0 streams: {base:.1f} MiB")
    for number in STREAMS:
        began = stage.cpu_seconds(pid)
        kept += await open_streams(port, tokens[len(kept) : number])
        opened = number - (STREAMS[0] if number > STREAMS[0] else 0)
        opening = (stage.cpu_seconds(pid) - began) / opened
        before, of_database = stage.cpu_seconds(pid), stage.cpu_seconds(postgres)
        await asyncio.sleep(IDLE)
        own, theirs = stage.cpu_seconds(pid) - before, stage.cpu_seconds(postgres) - of_database
        held = stage.memory(pid)
        print(
            f"{number:,} streams: {held:.1f} MiB, {(held - base) / number * 1024:.1f} KiB each,"
            f" {own / IDLE:.1%} of a CPU, PostgreSQL {theirs / IDLE:.1%};"
            f" {opening * 1000:.2f} ms of CPU for opening one",
            flush=True,
        )
    await close(kept)


async def latencies(port: int, tokens: Sequence[str]) -> None:
    """Prints the p50 and p95 of reads without and with streams."""
    found: dict[int, list[float]] = {0: [], STREAMS[0]: []}
    for _ in range(ROUNDS):
        for number, seconds in found.items():
            clients = await open_streams(port, tokens[:number])
            await asyncio.gather(
                *(
                    asyncio.to_thread(read_tasks, f"127.0.0.1:{port}", PHASE, token, seconds)
                    for token in tokens[-READERS:]
                )
            )
            await close(clients)
    for number, seconds in found.items():
        p50, p95 = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
        print(f"reads with {number:,} streams: p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def events(database_url: str, folder: Path, port: int) -> Iterator[int]:
    """Starts `flask events`; its pid."""
    folder.mkdir(exist_ok=True)
    log = folder / "events.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "events"],
            cwd=stage.ROOT,
            env=stage.environment(
                DATABASE_URL=database_url,
                DATA_DIR=str(folder),
                EVENTS_PORT=str(port),
                EVENTS_SOCKET=str(folder / "events.sock"),
                LOG_LEVEL="warning",
            ),
            stdout=output,
            stderr=output,
        )
    try:
        while not (folder / "events.sock").exists():
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        time.sleep(1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measures and prints."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with stage.workspace() as folder, stage.postgres(folder) as postgres:
        postgres.migrate("streams")
        url, port = postgres.url("streams"), free_port()
        with postgres.connect("streams") as connection:
            owners = [row[0] for row in connection.execute(ADD_USERS, [USERS]).fetchall()]
            connection.execute("ANALYZE")
        tokens = issue({**stage.PRODUCTION, "DATABASE_URL": url}, owners)
        with events(url, folder / "service", port) as pid:
            asyncio.run(idle(port, pid, postgres.pid, tokens * 10))
            path = str(folder / "service" / "events.sock")
            with stage.service(url, folder / "service", EVENTS_SOCKET=path) as service:
                asyncio.run(latencies(service.port, tokens))


if __name__ == "__main__":
    main()
