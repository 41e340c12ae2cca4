"""The command line: `cuakhau COMMAND`. Commands import what they run, so that `--help` stays fast."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.ops.audit_commands import audit_app
from app.ops.backup_commands import backup, backup_secrets, base_backup, recover, restore
from app.ops.command_options import VAR, DataDir, Json, print_result
from app.ops.datex_commands import check_datex
from app.ops.dead_letter_commands import dead_letters_app
from app.ops.neighbour_commands import neighbour
from app.ops.trace_commands import export_trace, replay
from app.ops.yard_commands import plan_yards
from app.platform.collector import spare_loading
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
ingest_app = typer.Typer(help="What the devices sent.", no_args_is_help=True)
ingest_app.add_typer(dead_letters_app, name="dead-letters")
app.add_typer(geo_app, name="geo")
app.add_typer(ingest_app, name="ingest")
app.add_typer(demo_app, name="demo")
app.add_typer(user_app, name="user")
app.add_typer(audit_app, name="audit")

TerminalPort = Annotated[int, typer.Option(help="TCP port that trackers connect to.")]
TerminalHost = Annotated[str, typer.Option(help="Address to listen on; empty: CUAKHAU_HOST; 0.0.0.0 for all.")]


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
def serve(
    data_dir: DataDir = VAR,
    descriptor: Annotated[int, typer.Option(hidden=True, help="A socket that listens already.")] = -1,
) -> None:
    """Run the web part: pages, API, doors, events; with CUAKHAU_WEB_PROCESSES in several processes."""
    from app import bootstrap
    from app.ops import logs
    from app.ops.running import find_settings

    logs.configure("web")
    bootstrap.serve(find_settings(data_dir), descriptor)


@app.command()
def worker(data_dir: DataDir = VAR) -> None:
    """Run an ingest worker: from the doors' streams to matched rows in PostGIS."""
    from app import bootstrap
    from app.ops import logs
    from app.ops.running import find_settings

    logs.configure("ingest")
    bootstrap.run_worker(find_settings(data_dir))


@app.command()
def control(data_dir: DataDir = VAR) -> None:
    """Run the control loop: trip stages, forecasts, yard plans, advice."""
    from app import bootstrap
    from app.ops import logs
    from app.ops.running import find_settings

    logs.configure("control")
    bootstrap.run_control(find_settings(data_dir))


@app.command()
def frigate(
    broker: Annotated[str, typer.Argument(help="Its MQTT broker: mqtt://[user:password@]host[:port] or mqtts://…")],
    topic: Annotated[str, typer.Option(help="Topic of its messages.")] = "frigate/tracked_object_update",
    data_dir: DataDir = VAR,
) -> None:
    """Run a gateway for plate reads of Frigate alone, until Ctrl-C; `mqtt` takes them in as well."""
    from app import bootstrap
    from app.ops import logs
    from app.ops.running import find_settings

    logs.configure("frigate")
    bootstrap.run_mqtt_gateway(find_settings(data_dir), broker, plates_only=True, topic=topic)


@app.command()
def mqtt(
    broker: Annotated[
        str, typer.Argument(help="mqtt://[user:password@]host[:port] or mqtts://…; by default that of MQTT_URL.")
    ] = "",
    data_dir: DataDir = VAR,
) -> None:
    """Run the gateway for positions of OwnTracks and plate reads of Frigate over MQTT, until Ctrl-C."""
    from app import bootstrap
    from app.ops import logs
    from app.ops.running import find_settings
    from app.settings import GatewaySettings

    settings = find_settings(data_dir)
    broker = broker or GatewaySettings().mqtt_url.get_secret_value()
    if not broker:
        raise typer.BadParameter("Name the broker, or set MQTT_URL.", param_hint="broker")
    logs.configure("mqtt")
    bootstrap.run_mqtt_gateway(settings, broker)


@app.command()
def traccar(data_dir: DataDir = VAR) -> None:
    """Read positions off the Traccar server of CUAKHAU_TRACCAR_URL, with CUAKHAU_TRACCAR_TOKEN, until Ctrl-C."""
    from app import bootstrap
    from app.ops import logs
    from app.ops.running import find_settings

    settings = find_settings(data_dir)
    logs.configure("traccar")
    bootstrap.run_traccar_source(settings)


@app.command()
def jt808(port: TerminalPort = 8808, host: TerminalHost = "", data_dir: DataDir = VAR) -> None:
    """Run the gateway of trackers that speak JT/T 808 (2013 and 2019) over TCP, until Ctrl-C."""
    _run_terminal_gateway("jt808", host, port, data_dir)


@app.command()
def gt06(port: TerminalPort = 5023, host: TerminalHost = "", data_dir: DataDir = VAR) -> None:
    """Run the gateway of trackers that speak GT06 (Concox, Jimi and kin) over TCP, until Ctrl-C."""
    _run_terminal_gateway("gt06", host, port, data_dir)


@app.command()
def h02(port: TerminalPort = 5013, host: TerminalHost = "", data_dir: DataDir = VAR) -> None:
    """Run the gateway of trackers that speak H02 over TCP, until Ctrl-C."""
    _run_terminal_gateway("h02", host, port, data_dir)


@app.command()
def migrate(data_dir: DataDir = VAR) -> None:
    """Bring the database to this version's schema and fill what is empty: corridor, yards, gate settings."""
    from app.ops.install import install
    from app.ops.running import find_settings

    install(find_settings(data_dir))


app.command()(replay)


app.command(name="export-trace")(export_trace)


app.command()(backup)
app.command(name="backup-secrets")(backup_secrets)
app.command()(restore)
app.command(name="base-backup")(base_backup)
app.command()(recover)
app.command(name="plan-yards")(plan_yards)
app.command()(neighbour)
app.command()(check_datex)


@app.command()
def simulate(
    scenario: Annotated[Path, typer.Argument(help="Scenario in YAML.", exists=True)],
    runs: Annotated[int, typer.Option(min=1, help="Runs of the ensemble.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")] = 1,
    scheduler: Annotated[
        str, typer.Option(help="Dask scheduler whose workers do the runs: tcp://HOST:8786; empty: this machine.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option(help="Folder for its files: CSV, Parquet, PNG, report with map, SUMO.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a what-if scenario beside its base and print the summary.

    The same scenario, runs and seed give the same result, here or on a cluster (`dask scheduler`, `dask worker`).
    """
    from rich.console import Console
    from rich.progress import Progress

    from geo.corridor import Corridor
    from routing.scenario import load_scenario, run_scenario

    spread = None
    if scheduler:
        from routing.cluster import run_on_cluster

        spread = run_on_cluster(scheduler)
    what_if = load_scenario(scenario)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Simulating", total=1.0)
        result = run_scenario(
            Corridor.default(),
            what_if,
            runs=runs,
            seed=seed,
            progress=lambda share: bar.update(task, completed=share),
            spread=spread,
        )
    assert result is not None  # nothing here cancels it
    record = result.to_record()
    if output is not None:
        from app.planning.study_files import write_files
        from maps.report import scenario_report
        from routing.scenario import study_inputs

        report = scenario_report(Corridor.default(), record, locale="en", translate=str)
        write_files(output, record, study_inputs(Corridor.default(), what_if, seed=seed), report)
    print_result(record, as_json)


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
    print_result(report, as_json)


@app.command()
def calibrate(
    days: Annotated[int, typer.Option(min=1, max=28, help="How many days before `--until` to learn from.")] = 7,
    until: Annotated[str, typer.Option(help="Until when; without an offset it is UTC; empty: now.")] = "",
    output: Annotated[
        Path | None, typer.Option(help="Scenario in YAML to write: a day as recorded, with what was learned.")
    ] = None,
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """Learn free speeds, service, capacities and stays from recorded GPS, passages and the yard ledger.

    The first seven tenths of the time are learned from, the rest shows how well a simulation does with it. Planners see
    the newest one under Calibration.
    """
    from datetime import timedelta

    from app.ops.install import transaction
    from app.ops.running import find_settings
    from app.planning.calibration import make_calibration, scenario_of
    from geo.store import load_corridor
    from routing.queue_series import read_stamp
    from routing.scenario import dump_scenario

    settings = find_settings(data_dir)
    now = settings.clock().now()
    end = read_stamp(until) if until else now
    with transaction(settings) as session:
        row = make_calibration(
            session, load_corridor(session), since=end - timedelta(days=days), until=end, made_by=None, now=now
        )
        if output is not None:
            output.write_text(dump_scenario(scenario_of(session, row.record, now)), encoding="utf-8")
        print_result(row.record, as_json)


@geo_app.command("import-osm")
def import_osm(
    source: Annotated[str, typer.Argument(help="An .osm or .osm.xml file, or the name of a place (online).")],
    output: Annotated[Path, typer.Option(help="Where to write the corridor.")] = Path("corridor.geojson"),
    gate: Annotated[str, typer.Option(help="Kilometre 0 as LON,LAT; the border end of the road.")] = "",
    as_json: Json = False,
) -> None:
    """Make a corridor from OpenStreetMap."""
    from geo.osm import import_corridor

    print_result(import_corridor(source, output, gate=gate), as_json)


@geo_app.command("load")
def load_corridor(
    file: Annotated[Path, typer.Argument(help="A corridor.geojson.", exists=True)],
    add: Annotated[bool, typer.Option("--add", help="Add to the present corridor: a gate with its roads.")] = False,
    as_json: Json = False,
    data_dir: DataDir = VAR,
) -> None:
    """Put a corridor into the database, in place of the present one; a new gate gets its yards and its profile."""
    from app.ops.install import load_corridor as load
    from app.ops.running import find_settings

    print_result(load(find_settings(data_dir), file, add=add), as_json)


@demo_app.command("seed")
def demo_seed(data_dir: DataDir = VAR) -> None:
    """Make the demo accounts, vehicles and trips; a second call changes nothing."""
    from app.demo.seed import seed_demo
    from app.ops.running import find_settings

    seed_demo(find_settings(data_dir))


@demo_app.command("run")
def demo_run(data_dir: DataDir = VAR) -> None:
    """Feed the demo day through the doors and let its drivers answer orders, until stopped."""
    from app import bootstrap
    from app.ops import logs
    from app.ops.running import find_settings

    logs.configure("demo")
    bootstrap.run_demo(find_settings(data_dir))


@user_app.command("create")
def user_create(
    username: str,
    role: Annotated[str, typer.Option(help="For example administrator, traffic_police, planner.")],
    full_name: Annotated[str, typer.Option()] = "",
    gate: Annotated[str | None, typer.Option(help="Gate the account works at.")] = None,
    organisation: Annotated[int | None, typer.Option(help="Organisation the account belongs to.")] = None,
    own_password: Annotated[
        bool, typer.Option(help="The password is that of the account's owner; else it is changed at the first sign-in.")
    ] = False,
    data_dir: DataDir = VAR,
) -> None:
    """Make an account; its password is asked for, or read from standard input."""
    from app.ops.install import create_user
    from app.ops.running import find_settings

    interactive = sys.stdin.isatty()
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        if interactive
        else sys.stdin.readline().rstrip("\n")
    )
    create_user(
        find_settings(data_dir),
        username,
        password,
        role,
        full_name=full_name,
        gate=gate,
        organisation=organisation,
        must_change=not own_password,
    )
    typer.echo(f"Account {username} made.")


@user_app.command("forget-factors")
def user_forget_factors(username: str, data_dir: DataDir = VAR) -> None:
    """Forget the second factors of an account whose owner lost them all, where no two administrators are left."""
    from app.ops.install import take_factors_away
    from app.ops.running import find_settings

    take_factors_away(find_settings(data_dir), username)
    typer.echo(f"The second factors of {username} are forgotten, and its sessions ended.")


@app.command()
def gateway(name: Annotated[str, typer.Argument(help="What the gateway is called.")], data_dir: DataDir = VAR) -> None:
    """Make a token for a gateway that may report devices by IMEI; it is shown once."""
    from app.ops.install import create_gateway
    from app.ops.running import find_settings

    typer.echo(create_gateway(find_settings(data_dir), name))


@app.command()
def reencrypt(data_dir: DataDir = VAR) -> None:
    """Bring every encrypted value under the first of CUAKHAU_ENCRYPTION_KEYS, digests under CUAKHAU_SECRET_KEY."""
    from app.ops.install import reencrypt as run
    from app.ops.running import find_settings

    done = run(find_settings(data_dir))
    typer.echo(f"{done.values} values are under the first key, {done.digests} digests were made again.")


def _run_terminal_gateway(protocol: str, host: str, port: int, data_dir: Path) -> None:
    from app import bootstrap
    from app.ops import logs
    from app.ops.running import find_settings

    logs.configure(protocol)
    settings = find_settings(data_dir)
    bootstrap.run_terminal_gateway(settings, protocol, host or settings.host, port)


def main() -> None:
    """Run the command line; what an operator can mend is one line, not a traceback."""
    spare_loading()
    try:
        app()
    except CuaKhauError as error:
        typer.echo(f"Error: {error}", err=True)
        raise SystemExit(1) from None
    except Exception as error:
        reason = _unreachable(error)
        if reason is None:
            raise
        typer.echo(f"Error: {reason}", err=True)
        raise SystemExit(1) from None


def _unreachable(error: Exception) -> str | None:
    """What to say of a server that does not answer; `None` of any other error."""
    from redis.exceptions import ConnectionError as RedisConnectionError
    from sqlalchemy.exc import OperationalError

    if not isinstance(error, OperationalError | RedisConnectionError):
        return None
    server = "database" if isinstance(error, OperationalError) else "Redis server"
    return f"The {server} does not answer: {' '.join(str(getattr(error, 'orig', None) or error).split())[:300]}"


if __name__ == "__main__":
    main()
