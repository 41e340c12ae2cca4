"""How `installation_REVISION.dump` was made: a demonstration of an earlier version ran for a while and was dumped.

    python tests/app/data/make_old_installation.py COMMIT

COMMIT is the version, by git; the repository must hold it. The dump is pg_dump's custom format, without owners,
rights and extensions, which are the server's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
MIN_FIXES = 5_000
PORT = 18_733
THINNED = (
    "DELETE FROM ingest.fix WHERE extract(epoch FROM time)::bigint % 29 <> 0",
    "DELETE FROM app.trip_event WHERE trip_id % 10 <> 0",
)
"""Most of what there is many of adds nothing to a test."""
SCHEMAS = ("geo", "routing", "capacity", "ingest", "app")


def main(commit: str) -> None:
    """Run that version on a fresh data directory and dump its database."""
    with tempfile.TemporaryDirectory(prefix="cuakhau-old-") as folder:
        code, data = Path(folder) / "code", Path(folder) / "data"
        code.mkdir(), data.mkdir()
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "x", "-C", str(code)], input=archive, check=True)
        (code / "node_modules").symlink_to(ROOT / "node_modules")
        environment = os.environ | {"PYTHONPATH": str(code), "CUAKHAU_DEMO_EVERY": "50"}
        command = [sys.executable, "-m", "app.cli", "up", "--port", str(PORT), "--data-dir", str(data), "--speed", "20"]
        platform = subprocess.Popen(command, cwd=code, env=environment)
        try:
            while _ask(data, "SELECT count(*) FROM ingest.fix") < MIN_FIXES:
                time.sleep(1.0)
            _dump(data)
        finally:
            platform.terminate()
            platform.wait(60)


def _url(data: Path) -> str:
    password = json.loads((data / "embedded.json").read_text())["postgres"]
    port = (data / "postgres" / "postmaster.opts").read_text().partition('"port=')[2].partition('"')[0]
    return f"postgresql://cuakhau:{password}@127.0.0.1:{port}/cuakhau"


def _ask(data: Path, query: str) -> int:
    """A number from the database; 0 while there is none."""
    if not (data / "postgres" / "postmaster.opts").exists():
        return 0
    asked = subprocess.run(["psql", "-XAtc", query, _url(data)], check=False, capture_output=True, text=True)
    return int(asked.stdout.strip() or 0)


def _dump(data: Path) -> None:
    url = _url(data)
    revision = f"{_ask(data, 'SELECT version_num FROM public.alembic_version'):04d}"
    target = Path(__file__).with_name(f"installation_{revision}.dump")
    for thinned in THINNED:
        subprocess.run(["psql", "-Xqc", thinned, url], check=True)
    schemas = [f"--schema={schema}" for schema in SCHEMAS]
    options = ["--format=custom", "--compress=9", "--no-owner", "--no-privileges", "--no-comments", *schemas]
    subprocess.run(["pg_dump", *options, f"--file={target}", url], check=True)
    print(target, target.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1])
