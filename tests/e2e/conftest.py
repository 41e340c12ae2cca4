"""The whole platform, started as a person starts it, and a real browser."""

from __future__ import annotations

import fcntl
import functools
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

ROOT = Path(__file__).parents[2]
READY_S = 300.0
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}
expect.set_options(timeout=60_000)
"""What a loaded machine may take; a test that measures seconds says which."""
MAP_MS = 180_000
"""What a map may take on a loaded machine: drawn in software, its first picture is ten times the work of a page."""
COARSE = "Object.defineProperty(window, 'devicePixelRatio', { get: () => 0.25 })"
"""Maps and charts on a canvas draw a sixteenth of the pixels, which no test looks at; the page is laid out as ever."""
FEW_TRUCKS = {"CUAKHAU_DEMO_EVERY": "8", "CUAKHAU_FORECAST_RUNS": "24"}
"""Settings of a platform on which nothing is asked of traffic and forecasts but that there are some."""
TRUST = ssl.create_default_context()
"""Made once: a client that makes its own spends more time on it than on most requests."""


@dataclass(frozen=True)
class Platform:
    """A running platform and the accounts of its demonstration."""

    url: str
    data_dir: Path
    accounts: dict[str, dict[str, str]]
    ready_after_s: float
    _tokens: dict[str, str] = field(default_factory=dict, repr=False)
    _sessions: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    def client(self, role: str | None = None, *, account: dict[str, str] | None = None) -> httpx.Client:
        """An HTTP client, signed in if a `role` of the demonstration or another `account` is given."""
        account = self.accounts[role] if role else account
        headers = {"Authorization": f"Bearer {self.token(account)}"} if account else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=TRUST)

    def token(self, account: dict[str, str]) -> str:
        """A bearer token of an account, the same each time: checking a password is made to cost time."""
        name = account["username"]
        if name not in self._tokens:
            with self.client() as client:
                answer = client.post("/api/v1/tokens", data=account)
            answer.raise_for_status()
            self._tokens[name] = str(answer.json()["access_token"])
        return self._tokens[name]

    def taken_over(self, account: dict[str, str]) -> dict[str, str]:
        """A new account with the password that its owner chose at the first sign-in."""
        chosen = f"{secrets.token_hex(12)} of her own"
        with self.client() as client:
            begun = client.post("/signin", data=account)
            assert begun.headers["location"] == "/signin/new-password", begun.text
            answer = client.post("/signin/new-password", data={"password": chosen, "repeated": chosen})
        assert answer.status_code == 303, answer.text
        return account | {"password": chosen}

    def session(self, account: dict[str, str]) -> dict[str, str]:
        """The cookies of a browser in which an account is signed in, the same each time."""
        name = account["username"]
        if name not in self._sessions:
            with self.client() as client:
                answer = client.post("/signin", data=account)
            assert answer.status_code == 303, answer.text
            self._sessions[name] = dict(answer.cookies)
        return self._sessions[name]


def eventually(check: Any, *, within_s: float, every_s: float = 0.1) -> Any:
    """The first true answer of `check`, asked again and again."""
    deadline = time.monotonic() + within_s
    while True:
        answer = check()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(every_s)


def act(client: httpx.Client, at: str, method: str, url: str, body: Any) -> httpx.Response:
    """Send an act on what stands at the address `at`, in its present version; what changes between is read again.

    The demonstration goes on beside a test: trucks move, and with them their trips.
    """
    for _ in range(5):
        tag = client.get(at).headers["ETag"]
        answer = client.request(method, url, json=body, headers={"If-Match": tag})
        if answer.status_code != 412:
            break
    return answer


def until_scripts_ran(visit: Callable[..., Any]) -> Callable[..., Any]:
    """A visit after which the scripts of a page have run, which begin when it is drawn; but for one that waits less."""

    @functools.wraps(visit)
    def visiting(page: Page, *arguments: Any, **options: Any) -> Any:
        answer = visit(page, *arguments, **options)
        if options.get("wait_until", "load") == "load":
            page.wait_for_selector(":root:not([data-scripts])", state="attached", timeout=60_000)
        return answer

    return visiting


Page.goto = until_scripts_ran(Page.goto)  # type: ignore[method-assign]
Page.reload = until_scripts_ran(Page.reload)  # type: ignore[method-assign]
Starter = Callable[[Path], AbstractContextManager[Platform]]
TURN = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "alone: measures seconds or closes a gate; runs last, with no other beside it")
    config.addinivalue_line("markers", "own_platform: starts the platforms it needs; begins first")
    config.addinivalue_line("markers", "one_at_a_time(what): not beside another test that is marked with the same")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: bool(item.get_closest_marker("alone")) - bool(item.get_closest_marker("own_platform")))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if hasattr(item.config, "workerinput"):
        item.stash[TURN] = turn = ExitStack()
        folder = Path(item.config.getoption("basetemp")).parent
        for mark in item.iter_markers("one_at_a_time"):
            hold(turn, folder / f"{mark.args[0]}.lock")
        is_alone = item.get_closest_marker("alone") is not None
        if is_alone and (others := os.environ.get("CUAKHAU_TEST_QUIET")):
            hold(turn, Path(others))  # bin/test holds it while other tests run; those in a browser go on
        with ExitStack() as queue:
            hold(queue, folder / "queue.lock")  # who waits to be alone is not overtaken
            hold(turn, folder / "turn.lock", is_shared=not is_alone)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if TURN in item.stash:
        item.stash[TURN].close()


def hold(stack: ExitStack, file: Path, *, is_shared: bool = False) -> None:
    """Wait for a lock among the processes of this run, and hold it until `stack` is closed."""
    fcntl.flock(stack.enter_context(file.open("w")), fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Platform]:
    """The demo day on servers of its own, one for all processes of a run."""
    with one_for_all(tmp_path_factory, worker_id, "platform", run_demo_day) as running:
        yield running


@contextmanager
def run_demo_day(data_dir: Path) -> Iterator[Platform]:
    """The demo day with every other of its trucks: hundreds on the move, queues, and yards that fill."""
    with run_platform(data_dir, settings={"CUAKHAU_DEMO_EVERY": "2", "CUAKHAU_FORECAST_RUNS": "60"}) as running:
        yield running


def one_for_all(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, name: str, start: Starter
) -> AbstractContextManager[Platform]:
    """The platform `name` of this run, whose processes share it."""
    if worker_id == "master":
        return start(tmp_path_factory.mktemp(name))
    return share_platform(tmp_path_factory.getbasetemp().parent / name, start)


@contextmanager
def share_platform(data_dir: Path, start: Starter) -> Iterator[Platform]:
    """The platform on `data_dir`: started by the process that asks first, stopped by it after all others let go.

    The kernel lets go for a process that dies.
    """
    data_dir.mkdir(exist_ok=True)
    description = data_dir / "platform.json"
    with ExitStack() as stack:
        door = stack.enter_context((data_dir / "door.lock").open("w"))
        users = stack.enter_context((data_dir / "users.lock").open("w"))
        fcntl.flock(door, fcntl.LOCK_EX)
        if description.exists():
            running = Platform(**json.loads(description.read_text()) | {"data_dir": data_dir})
        else:
            running = stack.enter_context(start(data_dir))
            stack.callback(fcntl.flock, users, fcntl.LOCK_EX)
            stack.callback(description.unlink)
            stack.callback(fcntl.flock, door, fcntl.LOCK_EX)
            shown = {name: value for name, value in asdict(running).items() if not name.startswith("_")}
            description.write_text(json.dumps(shown, default=str))
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield running


@contextmanager
def run_platform(
    data_dir: Path, *options: str, settings: Mapping[str, str] | None = None, port: int = 0
) -> Iterator[Platform]:
    """`cuakhau up` with the demo day, kept in `data_dir`; everything it started must end with it.

    `options` are further ones of the command, `settings` further variables of its environment, without which no
    neighbour is simulated; without `port` any that is free.
    """
    port = port or free_port()
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL")
    }
    environment |= {"CUAKHAU_NEIGHBOUR_SIMULATORS": "0", **(settings or {})}
    command = [sys.executable, "-m", "app.cli", "up", "--port", str(port), "--data-dir", str(data_dir), *options]
    started = time.monotonic()
    log = (data_dir / "up.log").open("wb")
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        _await_ready(process, url, data_dir)
        kept = data_dir / "demo-accounts.json"
        accounts = {} if "--no-demo" in options else json.loads(kept.read_text())
        yield Platform(url, data_dir, accounts, time.monotonic() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()
    left = _processes_naming(str(data_dir))
    assert not left, f"left behind: {left}"


def _await_ready(process: subprocess.Popen[bytes], url: str, data_dir: Path) -> None:
    deadline = time.monotonic() + READY_S
    with httpx.Client(timeout=2, verify=TRUST) as client:
        while time.monotonic() < deadline:
            assert process.poll() is None, (data_dir / "up.log").read_text()
            try:
                if client.get(f"{url}/readyz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.2)
    raise AssertionError(f"not ready after {READY_S} s: {(data_dir / 'up.log').read_text()}")


def _processes_naming(text: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in command:
                found.append(command)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Only maps are drawn by the emulated graphics processor: a page drawn by it cost as much as all its scripts."""
    return browser_type_launch_args | {"args": [*browser_type_launch_args["args"], "--disable-gpu-compositing"]}


SignedIn = Callable[..., Page]


@pytest.fixture
def signed_in(browser: Browser, platform: Platform) -> Iterator[SignedIn]:
    """A function that signs in to the demo day; see `signing_in`."""
    with signing_in(browser, platform) as sign_in:
        yield sign_in


@contextmanager
def signing_in(browser: Browser, platform: Platform) -> Iterator[SignedIn]:
    """A function `signed_in(role, at="/", phone=False, **context) -> Page`: a browser of its own, signed in.

    It opens the page `at`: "/" is the start page of the role, with `None` the window stays empty. `account` is another
    than the demonstration's account of the role; with `by_form` the password is written into the form, else the
    account's session is used.

    A page that logs an error or throws one fails the test.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_page(
        role: str,
        *,
        at: str | None = "/",
        phone: bool = False,
        account: dict[str, str] | None = None,
        by_form: bool = False,
        **options: Any,
    ) -> Page:
        context = browser.new_context(
            viewport=PHONE if phone else DESKTOP,
            is_mobile=phone,
            has_touch=phone,
            locale="vi-VN",
            reduced_motion="reduce",  # a map that flies somewhere draws dozens of pictures that no test looks at
            **options,
        )
        context.set_default_timeout(60_000)
        context.add_init_script(COARSE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"{role}: {error}"))
        account = account or platform.accounts[role]
        if by_form:
            write_into_form(page, platform.url, account)
        else:
            cookies = platform.session(account).items()
            context.add_cookies([{"name": name, "value": value, "url": platform.url} for name, value in cookies])
        if at is not None and not (at == "/" and by_form):
            page.goto(platform.url + at)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not problems, problems


def write_into_form(page: Page, url: str, account: dict[str, str]) -> None:
    """Sign in as a person does; the start page of the role follows."""
    page.goto(f"{url}/signin")
    page.fill("input[name=username]", account["username"])
    page.fill("input[name=password]", account["password"])
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(lambda address: "/signin" not in address)
