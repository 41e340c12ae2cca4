"""The command line: `cuakhau COMMAND`. Commands import what they run, so that `--help` stays fast."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from geo.errors import CuaKhauError

app = typer.Typer(
    name="cuakhau",
    help="Cửa Khẩu Số: traffic and logistics platform for a land border.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
geo_app = typer.Typer(help="The corridor: roads and sites.", no_args_is_help=True)
demo_app = typer.Typer(help="The demonstration: a simulated day, fed through the real doors.", no_args_is_help=True)
user_app = typer.Typer(help="Accounts.", no_args_is_help=True)
audit_app = typer.Typer(help="The audit log.", no_args_is_help=True)
app.add_typer(geo_app, name="geo")
app.add_typer(demo_app, name="demo")
app.add_typer(user_app, name="user")
app.add_typer(audit_app, name="audit")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def up(
    port: Annotated[int, typer.Option(help="Port of the web pages and doors.")] = 8080,
    data_dir: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("var"),
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="With the simulated demo day.")] = True,
    speed: Annotated[float, typer.Option(help="How many times faster than real time the demo runs.")] = 1.0,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    reload: Annotated[bool, typer.Option("--reload", help="Restart parts when their code changes.")] = False,
) -> None:
    """Start the whole platform and wait; Ctrl-C stops everything it started."""
    from app.ops.supervisor import Supervisor

    raise typer.Exit(Supervisor(data_dir.resolve(), host, port, demo, speed, reload).run())


@app.command()
def serve() -> None:
    """Run the web part: pages, API, doors, events."""
    from app import bootstrap
    from app.ops import logs
    from app.settings import get_settings

    logs.configure("web")
    bootstrap.serve(get_settings())


@app.command()
def worker() -> None:
    """Run an ingest worker: from the doors' streams to matched rows in PostGIS."""
    from app import bootstrap
    from app.ops import logs
    from app.settings import get_settings

    logs.configure("ingest")
    bootstrap.run_worker(get_settings())


@app.command()
def control() -> None:
    """Run the control loop: trip stages, forecasts, yard plans, advice."""
    from app import bootstrap
    from app.ops import logs
    from app.settings import get_settings

    logs.configure("control")
    bootstrap.run_control(get_settings())


@app.command()
def frigate(
    broker: Annotated[str, typer.Argument(help="Its MQTT broker: mqtt://[user:password@]host[:port] or mqtts://…")],
    topic: Annotated[str, typer.Option(help="Topic of its messages.")] = "frigate/tracked_object_update",
) -> None:
    """Run the optional gateway for plate reads of Frigate over MQTT, until Ctrl-C."""
    from app import bootstrap
    from app.ops import logs
    from app.settings import get_settings

    logs.configure("frigate")
    bootstrap.run_frigate_gateway(get_settings(), broker, topic)


@app.command()
def migrate() -> None:
    """Bring the database to this version's schema and fill what is empty: corridor, yards, gate settings."""
    from app.ops.install import install
    from app.settings import get_settings

    install(get_settings())


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="Recorded GPS: CSV, NDJSON, Parquet or GPX.", exists=True)],
    speed: Annotated[float, typer.Option(help="How many times faster than recorded; 0 for as fast as it goes.")] = 1.0,
    url: Annotated[str, typer.Option(help="The platform to feed.")] = "http://127.0.0.1:8080",
    shift: Annotated[bool, typer.Option("--shift/--no-shift", help="Shift the times so that the first is now.")] = True,
    as_json: Json = False,
) -> None:
    """Feed recorded GPS through the real doors."""
    from app.ops.replay import replay as run

    _print(run(file, url=url, speed=speed, shift=shift, progress=not as_json), as_json)


@app.command()
def simulate(
    scenario: Annotated[Path, typer.Argument(help="Scenario in YAML.", exists=True)],
    runs: Annotated[int, typer.Option(min=1, help="Runs of the ensemble.")] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 1,
    as_json: Json = False,
) -> None:
    """Run a what-if scenario beside its base and print the summary."""
    from rich.progress import Progress

    from geo.corridor import Corridor
    from routing.scenario import load_scenario, run_scenario

    what_if = load_scenario(scenario)
    with Progress(disable=as_json) as bar:
        task = bar.add_task("Simulating", total=1.0)
        result = run_scenario(
            Corridor.default(), what_if, runs=runs, seed=seed, progress=lambda share: bar.update(task, completed=share)
        )
    assert result is not None  # nothing here cancels it
    _print(result.to_record(), as_json)


@app.command()
def backtest(
    file: Annotated[Path, typer.Argument(help="CSV with time, queue and optional wait.", exists=True, dir_okay=False)],
    test_from: Annotated[str, typer.Option(help="First origin that is scored; without an offset it is UTC.")],
    tz: Annotated[str, typer.Option(help="Time zone whose hours and weekdays the traffic follows.")] = "UTC",
    as_json: Json = False,
) -> None:
    """Score count forecasts on the history of real queues: rolling origin, 1 to 24 hours ahead."""
    from rich.console import Console
    from rich.progress import Progress

    from geo.clock import zone_of
    from routing.backtest import run_backtest
    from routing.queue_series import read_queue_series, read_stamp

    zone, start = zone_of(tz), read_stamp(test_from)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Forecasting", total=1.0)
        report = run_backtest(
            read_queue_series(file), start, zone=zone, progress=lambda share: bar.update(task, completed=share)
        )
    _print(report, as_json)


@geo_app.command("import-osm")
def import_osm(
    source: Annotated[str, typer.Argument(help="An .osm or .osm.xml file, or the name of a place (online).")],
    output: Annotated[Path, typer.Option(help="Where to write the corridor.")] = Path("corridor.geojson"),
    gate: Annotated[str, typer.Option(help="Kilometre 0 as LON,LAT; the border end of the road.")] = "",
    as_json: Json = False,
) -> None:
    """Make a corridor from OpenStreetMap."""
    from geo.osm import import_corridor

    _print(import_corridor(source, output, gate=gate), as_json)


@geo_app.command("load")
def load_corridor(
    file: Annotated[Path, typer.Argument(help="A corridor.geojson.", exists=True)],
    add: Annotated[bool, typer.Option("--add", help="Add to the present corridor: a gate with its roads.")] = False,
    as_json: Json = False,
) -> None:
    """Put a corridor into the database, in place of the present one; a new gate gets its yards and its profile."""
    from app.ops.install import load_corridor as load
    from app.settings import get_settings

    _print(load(get_settings(), file, add=add), as_json)


@demo_app.command("seed")
def demo_seed() -> None:
    """Make the demo accounts, vehicles and trips; a second call changes nothing."""
    from app.demo.seed import seed_demo
    from app.settings import get_settings

    seed_demo(get_settings())


@demo_app.command("run")
def demo_run() -> None:
    """Feed the demo day through the doors and let its drivers answer orders, until stopped."""
    from app import bootstrap
    from app.ops import logs
    from app.settings import get_settings

    logs.configure("demo")
    bootstrap.run_demo(get_settings())


@user_app.command("create")
def user_create(
    username: str,
    role: Annotated[str, typer.Option(help="For example administrator, traffic_police, planner.")],
    full_name: Annotated[str, typer.Option()] = "",
    gate: Annotated[str | None, typer.Option(help="Gate the account works at.")] = None,
    organisation: Annotated[int | None, typer.Option(help="Organisation the account belongs to.")] = None,
) -> None:
    """Make an account; its password is asked for, or read from standard input."""
    from app.ops.install import create_user
    from app.settings import get_settings

    interactive = sys.stdin.isatty()
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        if interactive
        else sys.stdin.readline().rstrip("\n")
    )
    create_user(get_settings(), username, password, role, full_name=full_name, gate=gate, organisation=organisation)
    typer.echo(f"Account {username} made.")


@audit_app.command("verify")
def audit_verify(as_json: Json = False) -> None:
    """Check the chain of the audit log; exit status 1 if anything was changed."""
    from app.ops.install import verify_audit
    from app.settings import get_settings

    faults = verify_audit(get_settings())
    _print({"intact": not faults, "faults": faults}, as_json)
    if faults:
        raise typer.Exit(1)


@app.command()
def gateway(name: Annotated[str, typer.Argument(help="What the gateway is called.")]) -> None:
    """Make a token for a gateway that may report devices by IMEI; it is shown once."""
    from app.ops.install import create_gateway
    from app.settings import get_settings

    typer.echo(create_gateway(get_settings(), name))


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="Where to write the archive (pg_dump custom format).")]) -> None:
    """Write the whole database to one file."""
    from app.ops.install import dump
    from app.settings import get_settings

    dump(get_settings(), file)


@app.command()
def restore(file: Annotated[Path, typer.Argument(exists=True, help="An archive made by backup.")]) -> None:
    """Replace the whole database by a backup."""
    from app.ops.install import restore as run
    from app.settings import get_settings

    run(get_settings(), file)


def _print(result: object, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, default=str))
    elif isinstance(result, dict):
        for name, value in result.items():
            typer.echo(f"{name}: {value}")
    else:
        typer.echo(str(result))


def main() -> None:
    """Run the command line; an error the platform raises on purpose is one line, not a traceback."""
    try:
        app()
    except CuaKhauError as error:
        typer.echo(f"Error: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
