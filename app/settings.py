"""Settings: the only place that reads the environment."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from geo.clock import Clock, ScaledClock, SystemClock

PROJECT_DIR = Path(__file__).resolve().parents[1]
WORKER_NAME = "CUAKHAU_WORKER_NAME"
"""Names one process alone: no other may be given it."""
DEMO_SECRET = "demo-secret-not-for-real-use"  # noqa: S105 - refused outside the demo


class Settings(BaseSettings):
    """What differs between one installation and another.

    Every field is read from the environment variable `CUAKHAU_<NAME>`; the two servers also from the
    usual `DATABASE_URL` and `REDIS_URL`.
    """

    model_config = SettingsConfigDict(env_prefix="CUAKHAU_", extra="ignore")

    database_url: SecretStr = Field(SecretStr(""), validation_alias="DATABASE_URL")
    """The database as the application's role, which owns nothing."""
    migration_database_url: SecretStr = Field(SecretStr(""), validation_alias="MIGRATION_DATABASE_URL")
    """The same database as its owner, for migrations, backups and restoring alone; empty: `DATABASE_URL` does all."""
    open_database_url: SecretStr = Field(SecretStr(""), validation_alias="OPEN_DATABASE_URL")
    """The same database as a role that reads the views for everybody and nothing else, for `/ogc`; empty: not served.
    """
    redis_url: SecretStr = Field(SecretStr(""), validation_alias="REDIS_URL")
    """Redis, one server or a cluster (`redis+cluster://…`)."""
    data_dir: Path = Path("var")
    """Where files are kept: pictures, and with private servers everything."""
    public_url: str = ""
    """The HTTPS address phones reach; empty means the address of the request."""
    secret_key: SecretStr = SecretStr(DEMO_SECRET)
    """At least 32 random characters, the same for all processes; `bin/up` makes one."""
    encryption_keys: SecretStr = SecretStr("")
    """What the database holds encrypted is read with these, separated by commas, the newest first, and `secret_key`."""
    demo: bool = False
    """Whether this is the demonstration."""
    files_change: bool = False
    """Scripts and style sheets change while processes run, as in development: no browser keeps them."""
    demo_every: int = Field(1, ge=1, le=50)
    """Of the trucks of the demonstration every how many-th is played, for small machines; of a new data directory."""
    host: str = "127.0.0.1"
    """The address that the web part and gateways listen on."""
    port: int = 8080
    """The port of the web part."""
    drain_s: float = Field(0.0, ge=0, le=300)
    """How long a web process that is told to stop goes on answering while `/readyz` says 503, so that a balancer
    before it sends new connections elsewhere; 0 where there is none."""
    cookies_secure: bool = False
    """Whether session cookies travel over HTTPS only; an https `public_url` sets it."""
    allowed_hosts: str = ""
    """Further names, by commas, under which browsers may reach the platform, beside that of `public_url`, localhost and
    those of the machine; `*` for any."""
    trusted_proxies: str = "127.0.0.1,::1"
    """Addresses and networks, by commas, of the proxies before the web processes: what they say of a caller's address
    counts, what anybody else says does not. Where a proxy is missing, all its callers count as one."""
    security_contact: str = ""
    """Where finders of faults write, as `mailto:…` or `https://…`; shown in /.well-known/security.txt."""

    clock_origin: datetime | None = None
    """Since when the clock of a demonstration runs faster; `bin/up` sets it."""
    clock_speed: float = 1.0
    """How many times faster."""

    fix_retention_days: int = 30
    """How long positions are kept."""
    fix_future_tolerance_s: float = 120.0
    """How far ahead of the clock a position may be."""
    keep_far_fixes: bool = False
    """Whether positions more than some 50 km outside the corridor's surroundings are stored."""
    retention_days: dict[str, int] = Field(default_factory=dict)
    """Other ages, by table, at which upkeep deletes: `{"app.plate_read": 30}`; never less than a law wants. What an
    administrator sets on the page of personal data goes over them."""
    ingest_shards: int = 2
    """How many streams positions are spread over; at least one a worker."""
    ingest_max_stream_mb: int = 256
    """How much of each shard may wait in Redis before the doors say 503: what an outage of storage may fill."""
    worker_name: str = ""
    """What an ingest worker is called, the same after each start and unlike any other that runs; empty: a new name."""
    session_hours: int = 12
    """How long a token lasts, and in a demonstration an unused session; else the rules of each role say."""
    sign_in_rules: str = Field("", pattern="^(|strict|lenient)$")
    """Which rules of signing in hold until an administrator sets others; empty: lenient in a demo, else strict."""
    oidc_issuer: str = ""
    """The identity provider (OpenID Connect) that people may sign in with, as its discovery document names it."""
    oidc_client_id: str = ""
    """The name that the identity provider knows us by."""
    oidc_client_secret: SecretStr = SecretStr("")
    """The secret that it gave us; empty where it wants none."""
    oidc_name: str = ""
    """What the button on the sign-in page calls it; empty: the host of the issuer."""
    oidc_scope: str = "openid profile"
    """What it is asked for."""
    oidc_role_claim: str = "roles"
    """Where its tokens say what somebody is; dots lead into it, as in `realm_access.roles`."""
    oidc_roles: dict[str, str] = Field(default_factory=dict)
    """What it calls somebody → role here, as JSON; the first that fits counts."""
    oidc_unknown: str = Field("refuse", pattern="^(refuse|create)$")
    """Whether an identity that no account is linked to is refused, or gets an account if it has a role here."""
    oidc_factor_amr: str = ""
    """Values of the claim `amr` (RFC 8176), separated by commas, that count as a second factor, such as `mfa,hwk`."""
    forecast_runs: int = 200
    """Runs of the ensemble of a forecast."""
    forecast_interval_s: float = 60.0
    """How often a forecast is made."""
    audit_heads: SecretStr = SecretStr("")
    """Where signed heads of the audit log go every hour, by commas: `file:/mount/heads.jsonl`, `https://…`,
    `syslog://host`; empty: a file in the data directory, which another machine should fetch."""
    audit_key_file: Path | None = None
    """The private key that signs them; empty: `audit-key.pem` in the data directory."""
    metrics_token: SecretStr = SecretStr("")
    """Lets Prometheus read /metrics from another machine; empty means from this machine only."""
    webhook_allow_private: bool = False
    """Lets enterprises' webhooks lead to http and into the own network; for tests and closed networks."""
    push_contact: str = ""
    """Whom push services ask when something is wrong, as `mailto:…` or `https://…`; empty: `security_contact`, else
    `public_url`."""
    text_messages_url: SecretStr = SecretStr("")
    """Where text messages to drivers go whom no page and no push reaches: `file:///path`, a line of JSON each, or
    `https://…`, the operator's gateway; empty: none are sent."""
    text_messages_secret: SecretStr = SecretStr("")
    """What signs them: `whsec_…` of the Standard Webhooks specification."""
    text_messages_channel: str = Field("sms", pattern="^(sms|zalo)$")
    """By what the gateway sends them."""
    text_messages_keep_days: int = Field(7, ge=1, le=90)
    """How many days they are kept, encrypted, after they were sent or given up."""
    base_map_url: str = ""
    """What the map draws below the corridor: the path of a PMTiles archive in Protomaps' schema, the address of a
    TileJSON document of such tiles (.json), or a raster template such as https://tile.example/{z}/{x}/{y}.png. Empty:
    the land that comes with the program."""
    satellite_url: str = ""
    """A raster template of satellite images that the map offers to switch to; empty offers none."""

    metrics_dir: Path | None = Field(None, validation_alias="PROMETHEUS_MULTIPROC_DIR")
    """Where web processes of one port gather their figures for /metrics; their parent sets it."""

    jt808_require_authentication: bool = False
    """Whether a JT/T 808 terminal must authenticate itself on each connection before its locations count."""

    @model_validator(mode="after")
    def _refuse_default_secret(self) -> Settings:
        if not self.demo and self.database_url.get_secret_value():
            secret = self.secret_key.get_secret_value()
            if secret == DEMO_SECRET or len(secret) < 32:
                raise ValueError(
                    "CUAKHAU_SECRET_KEY must be set to at least 32 random characters outside the demo "
                    "(for example: openssl rand -hex 32)."
                )
        return self

    position_receiver: str = Field("", max_length=100)
    """Whose Traccar server positions are forwarded to, as their owners read it when they agree, vehicle by vehicle;
    its address is `traccar` of `CUAKHAU_NEIGHBOUR_URLS`. Empty: nobody is asked, nothing is forwarded."""

    @model_validator(mode="after")
    def _derive_secure_cookies(self) -> Settings:
        if self.public_url.lower().startswith("https://"):
            self.cookies_secure = True
        return self

    @property
    def kept_days(self) -> dict[str, int]:
        """How many days tables are kept by the installation's settings, by table."""
        positions = ("ingest.fix", "ingest.last_position", "ingest.device_trait")
        return self.retention_days | dict.fromkeys(positions, self.fix_retention_days)

    @property
    def owner_database_url(self) -> str:
        """The database as who may change its schema."""
        return (self.migration_database_url.get_secret_value() or self.database_url.get_secret_value()).strip()

    @field_validator("encryption_keys")
    @classmethod
    def _refuse_short_keys(cls, keys: SecretStr) -> SecretStr:
        if any(len(key.strip()) < 32 for key in keys.get_secret_value().split(",") if keys.get_secret_value()):
            raise ValueError(
                "Each of CUAKHAU_ENCRYPTION_KEYS must have at least 32 random characters "
                "(for example: openssl rand -hex 32)."
            )
        return keys

    @field_validator("trusted_proxies")
    @classmethod
    def _refuse_other_than_networks(cls, proxies: str) -> str:
        for each in filter(None, map(str.strip, proxies.split(","))):
            try:
                ipaddress.ip_network(each)
            except ValueError:
                raise ValueError(
                    f"CUAKHAU_TRUSTED_PROXIES: {each!r} is neither an address nor a network such as 10.0.3.0/24."
                ) from None
        return proxies

    @model_validator(mode="after")
    def _complete_provider(self) -> Settings:
        if self.oidc_issuer:
            parts = urlsplit(self.oidc_issuer)
            if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1"):
                raise ValueError(f"CUAKHAU_OIDC_ISSUER {self.oidc_issuer} must begin with https://.")
            if not self.oidc_client_id:
                raise ValueError("CUAKHAU_OIDC_CLIENT_ID is missing: the name that the identity provider knows us by.")
            self.oidc_name = self.oidc_name or parts.hostname or ""
        return self

    def encryption_secrets(self) -> list[str]:
        """What encrypts values in the database, the newest first; `secret_key` last, for what it once encrypted."""
        keys = self.encryption_keys.get_secret_value()
        return [*(key.strip() for key in keys.split(",") if keys), self.secret_key.get_secret_value()]

    def clock(self) -> Clock:
        """The platform's clock: the machine's, or a faster one in a demonstration."""
        if self.clock_origin is not None and self.clock_speed != 1.0:
            return ScaledClock(self.clock_origin, self.clock_speed)
        return SystemClock()


class OperationsSettings(BaseSettings):
    """Backups, alarms and traces: what operators set, each read from `CUAKHAU_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="CUAKHAU_", extra="ignore")

    backup_dir: Path | None = None
    """Where control makes backups by itself; empty: it makes none, and nobody is warned that they are old."""
    backup_interval_h: float = Field(24.0, gt=0)
    """How often control makes a backup."""
    backup_keep: int = Field(14, ge=1)
    """How many backups are kept in a folder; older ones are erased."""
    backup_recipients: str = ""
    """Whom backups are encrypted to: age recipients (`age1…`), separated by commas; empty: an identity is made in the
    data directory, which then must be copied elsewhere."""
    wal_archive: Path | None = None
    """Where the private PostgreSQL keeps its write-ahead log, for recovery to a point in time; empty: nowhere."""

    alarm_mail_to: str = ""
    """Who is told of alarms: addresses, separated by commas."""
    alarm_mail_from: str = "cuakhau@localhost"
    """Who such mail is from."""
    alarm_language: str = Field("vi", pattern="^(vi|en|zh)$")
    """The language of that mail and of webhooks' texts: vi, en or zh."""
    smtp_url: SecretStr = SecretStr("")
    """The mail server: `smtp://[user:password@]host[:port]` (STARTTLS where it offers that) or `smtps://…`."""
    alarm_webhook_url: SecretStr = SecretStr("")
    """Where alarms are sent as JSON, signed as webhooks are."""
    alarm_webhook_secret: SecretStr = SecretStr("")
    """What signs them: `whsec_…` of the Standard Webhooks specification."""
    alarm_repeat_h: float = Field(12.0, gt=0)
    """How long an alarm may last until people are told of it again."""

    max_forecast_age_s: float = Field(300.0, gt=0)
    """From this age on the newest forecast is an alarm."""
    max_stream_lag_entries: int = Field(5_000, gt=0)
    """So many entries of all streams that wait or are being stored are an alarm."""
    max_outbox_events: int = Field(1_000, gt=0)
    """So many events that wait to be sent are an alarm."""
    min_disk_free_share: float = Field(0.1, gt=0, lt=1)
    """Less free than this share of a disk is an alarm."""
    max_backup_age_h: float = Field(0.0, ge=0)
    """How old the last good backup may be; 0: half as old again as the interval of backups."""
    min_certificate_days: float = Field(14.0, gt=0)
    """Days before the end of the certificate of the public address from which on it is an alarm."""

    otlp_endpoint: str = ""
    """Where traces are sent by OTLP over HTTP, such as http://collector:4318/v1/traces; empty: none are made."""
    trace_share: float = Field(0.1, ge=0, le=1)
    """Of the requests this share is traced; those that a caller traces always are."""

    def recipients(self) -> list[str]:
        """The recipients of backups."""
        return [each.strip() for each in self.backup_recipients.split(",") if each.strip()]

    def mail_to(self) -> list[str]:
        """The addresses that are told of alarms."""
        return [each.strip() for each in self.alarm_mail_to.split(",") if each.strip()]

    def backup_age_limit_s(self) -> float:
        """How old the last good backup may be."""
        return (self.max_backup_age_h or 1.5 * self.backup_interval_h) * 3600.0


class ProcessSettings(BaseSettings):
    """How many processes do the work of one part, on one machine."""

    model_config = SettingsConfigDict(env_prefix="CUAKHAU_", extra="ignore")

    web_processes: int = Field(1, ge=1, le=64)
    """Web processes that share the port, for `bin/up` and `cuakhau serve`; about one a core."""
    ingest_processes: int = Field(1, ge=1, le=64)
    """Ingest workers that `bin/up` starts; at most `CUAKHAU_INGEST_SHARDS`."""

    def max_connections(self) -> int:
        """Connections that a private PostgreSQL must allow: of the processes beside these, and of each of them."""
        return 80 + 20 * (self.web_processes + self.ingest_processes)


class NeighbourSettings(BaseSettings):
    """Where systems of others are reached (docs/integrations.md)."""

    model_config = SettingsConfigDict(env_prefix="CUAKHAU_", extra="ignore")

    neighbour_urls: dict[str, str] = Field(default_factory=dict)
    """The address of each neighbour, as JSON: `{"customs": "https://…", "registration": "https://…"}`; those that are
    not named are not connected."""
    neighbour_secrets: dict[str, SecretStr] = Field(default_factory=dict)
    """What signs the messages to each and of each, as JSON: `{"customs": "whsec_…"}` of the Standard Webhooks
    specification. One without an address pushes to us, and is neither asked nor told."""
    neighbour_max_answer: int = Field(8_000_000, ge=10_000)
    """Bytes of a neighbour's answer, unpacked, that are read at most; what is larger is a failure that says so."""
    neighbour_simulators: bool = True
    """Whether `bin/up` of the demonstration starts simulators of neighbours, where no addresses are set."""


class GatewaySettings(BaseSettings):
    """Which optional gateways `bin/up` starts: a port for each protocol of trackers, 0 for none; an MQTT broker."""

    model_config = SettingsConfigDict(extra="ignore")

    jt808_port: int = Field(0, validation_alias=AliasChoices("CUAKHAU_JT808_PORT", "JT808_PORT"))
    """Port for trackers that speak JT/T 808."""
    gt06_port: int = Field(0, validation_alias=AliasChoices("CUAKHAU_GT06_PORT", "GT06_PORT"))
    """Port for trackers that speak GT06."""
    h02_port: int = Field(0, validation_alias=AliasChoices("CUAKHAU_H02_PORT", "H02_PORT"))
    """Port for trackers that speak H02."""
    mqtt_url: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("MQTT_URL", "CUAKHAU_MQTT_URL"))
    """`mqtt://[user:password@]host[:port]` or `mqtts://…`"""

    traccar_url: str = Field("", validation_alias="CUAKHAU_TRACCAR_URL", pattern="^(|https?://[^/]+)$")
    """A Traccar server that is read as a source of positions, such as `https://traccar.example`; empty: none."""
    traccar_token: SecretStr = Field(SecretStr(""), validation_alias="CUAKHAU_TRACCAR_TOKEN")
    """The token of a user of it, who sees the devices that are to be read."""
    traccar_gateway_token: SecretStr = Field(SecretStr(""), validation_alias="CUAKHAU_TRACCAR_GATEWAY_TOKEN")
    """A token of `cuakhau gateway NAME`, where it knows devices by IMEI; empty: by the identifiers handed out here."""
    public_mqtt_url: SecretStr = Field(SecretStr(""), validation_alias="CUAKHAU_PUBLIC_MQTT_URL")
    """Where changes of the public board are published, for anybody whom that broker lets in; empty: nowhere."""

    def terminal_ports(self) -> dict[str, int]:
        """The port of each protocol of trackers that is wanted."""
        ports = {"jt808": self.jt808_port, "gt06": self.gt06_port, "h02": self.h02_port}
        return {name: port for name, port in ports.items() if port}


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
