"""The benchmarks measure what their descriptions say."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest

from app import db
from app.db import migrations
from benchmarks import chart, duties, layers, load, patches, stage
from benchmarks.tokens import users
from tests.support.databases import Postgres
from tests.support.roles import as_role

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seeded_url(postgres: Postgres, migrated: str) -> Iterator[str]:
    """The seeded database of the benchmarks, with only the tasks that their requests name."""
    numbers, asked_for = r"generate_series\(1, CASE .* END\)", "generate_series(20, 2000, 20)"
    seed, replaced = re.subn(numbers, asked_for, stage.SEED.read_text())
    assert replaced == 1
    with postgres.database(template=migrated) as name:
        url = postgres.url(name)
        migrations.switch_row_security(url, on=False)
        with psycopg.connect(url) as connection:
            connection.execute(seed.encode())
        yield url


@pytest.fixture(scope="module")
def requests(seeded_url: str) -> dict[str, list[bytes]]:
    return load.requests(users({**stage.PRODUCTION, "DATABASE_URL": seeded_url}, seeded_url))


def counts(url: str) -> dict[str, int]:
    """The rows of tasks and ledger entries, and the sum of the ledgers' versions."""
    query = """
        SELECT
            (SELECT count(*) FROM tasks), (SELECT count(*) FROM ledger_entries),
            (SELECT sum(version)::bigint FROM ledgers)
    """
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return dict(zip(("tasks", "entries", "versions"), row, strict=True))


def test_pgbench_runs_the_statements_of_the_service(
    seeded_url: str, requests: dict[str, list[bytes]], tmp_path: Path
) -> None:
    with stage.service(as_role(seeded_url), tmp_path / "service") as service:
        load.probe(service, requests)
        names = load.statements(service)
    assert names.keys() == load.MIX.keys()
    before = counts(seeded_url)
    load.write_transactions(as_role(seeded_url), names, tmp_path)
    after = counts(seeded_url)
    assert after["entries"] - before["entries"] == len({"create", "toggle", "update"})
    assert after["tasks"] - before["tasks"] == len({"create"})


def test_a_transaction_is_the_file_with_its_parameters_replaced() -> None:
    text = db.load("tasks/update").text
    made = load.transaction("update", "tasks/update", text)
    pieces = [re.escape(piece) for piece in load.PARAMETER.split(text)[::2]]
    assert len(pieces) > 10
    assert re.fullmatch(re.escape(load.VARIABLES) + r"[^%\n]+".join(pieces), made.text)


def test_pgbench_reads_the_page_that_a_request_reads(
    seeded_url: str, requests: dict[str, list[bytes]]
) -> None:
    name = "search/list_by_created_desc"
    request = requests["list"][0].decode()
    owner, limit = re.findall(r"/api/([^/]+)/tasks\?limit=(\d+) ", request)[0]
    with psycopg.connect(seeded_url) as connection:
        sent = {**load.values("list", name), "owner_id": owner}
        page = connection.execute(db.load(name).text, sent).fetchone()
    assert page is not None
    documents = page[3]
    assert len(documents) == int(limit)
    assert [each["id"] for each in documents] == sorted(
        (each["id"] for each in documents), reverse=True
    )


def test_every_seeded_task_is_behind_the_ones_before_it(seeded_url: str) -> None:
    with psycopg.connect(seeded_url) as connection:
        wrong = connection.execute(
            "SELECT count(*) FROM tasks"
            " WHERE request_id = 'seed' AND position <> first_position(version)"
        ).fetchone()
    assert wrong == (0,)


def test_a_service_without_duties_works(
    seeded_url: str, requests: dict[str, list[bytes]], tmp_path: Path
) -> None:
    left_out = "jwt,sessions,metrics"
    with psycopg.connect(seeded_url) as connection:
        connection.execute(duties.WITHOUT_LEDGER.read_bytes())
    before = counts(seeded_url)
    url, folder = as_role(seeded_url), tmp_path / "service"
    with stage.service(url, folder, duties.APPLICATION, LEFT_OUT=left_out) as service:
        load.probe(service, requests)
    after = counts(seeded_url)
    assert replaced_methods(folder) == {
        "AccessTokens.verify",
        "EndedSessions.contains",
        "Metrics.observe",
    }
    patches.require_calls(folder)
    assert after["versions"] > before["versions"]
    assert after["entries"] == before["entries"]


def test_the_stock_service_works(
    seeded_url: str, requests: dict[str, list[bytes]], tmp_path: Path
) -> None:
    variants = layers.variants()
    assert variants[layers.STOCK] == set(layers.LAYERS)
    assert variants[layers.ALL] == set()
    before = counts(seeded_url)
    folder = tmp_path / "service"
    stock = variants[layers.STOCK]
    with layers.serve(as_role(seeded_url), folder, stock) as service:
        load.probe(service, requests)
    assert counts(seeded_url)["tasks"] == before["tasks"] + 1
    assert "PageCache.get" in replaced_methods(folder)
    patches.require_calls(folder)


def replaced_methods(folder: Path) -> set[str]:
    """The methods that the service in `folder` has replaced."""
    return {path.stem for path in folder.glob(f"*{patches.REPLACED}")}


def test_a_replaced_method_that_is_not_called_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Service:
        def work(self) -> int:
            return 1

    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    patches.replace(Service, "work", lambda _self: 2)
    with pytest.raises(RuntimeError, match=r"Service\.work"):
        patches.require_calls(tmp_path)
    assert Service().work() == 2
    patches.require_calls(tmp_path)
    with pytest.raises(AttributeError):
        patches.replace(Service, "renamed", lambda _self: 2)


def test_the_chart_shows_each_load_to_scale() -> None:
    bars = [chart.Bar("get", 0.25, "<fast>"), chart.Bar("list", 1.2, "faster")]
    drawn = ElementTree.fromstring(chart.draw(bars, "a machine"))  # noqa: S314  # our own
    widths = [int(each.attrib["width"]) for each in drawn.iter() if each.tag.endswith("rect")]
    assert widths[1] == pytest.approx(widths[0] / 4, abs=1)
    assert widths[3] == widths[2]
    assert "<fast>" in [each.text for each in drawn.iter()]


def test_a_year_of_ledger_entries_is_measured_in_both_layouts() -> None:
    command = [sys.executable, "-m", "benchmarks.retention", "--entries", "10000"]
    done = subprocess.run(
        command, cwd=stage.ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    for layout in ("one table", "a table per month"):
        for what in ("insertion", "page of a history", "page of the verification"):
            assert re.search(
                rf"^{layout}, {what}: [\d.]+ ms, CPU [\d.]+ ms$", done.stdout, re.MULTILINE
            )
    for what in ("deleted", "vacuumed afterwards", "three partitions dropped"):
        assert f"2,500 entries {what}: " in done.stdout
