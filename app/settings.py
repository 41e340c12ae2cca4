"""Settings: the only place that reads the environment."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from geo.clock import Clock, ScaledClock, SystemClock

PROJECT_DIR = Path(__file__).resolve().parents[1]
DEMO_SECRET = "demo-secret-not-for-real-use"  # noqa: S105 - refused outside the demo


class Settings(BaseSettings):
    """What differs between one installation and another.

    Every field is read from the environment variable `CUAKHAU_<NAME>`; the two servers also from the
    usual `DATABASE_URL` and `REDIS_URL`.
    """

    model_config = SettingsConfigDict(env_prefix="CUAKHAU_", extra="ignore")

    database_url: SecretStr = Field(SecretStr(""), validation_alias="DATABASE_URL")
    redis_url: SecretStr = Field(SecretStr(""), validation_alias="REDIS_URL")
    data_dir: Path = Path("var")
    public_url: str = ""
    """The HTTPS address phones reach; empty means the address of the request."""
    secret_key: SecretStr = SecretStr(DEMO_SECRET)
    demo: bool = False
    host: str = "127.0.0.1"
    port: int = 8080
    cookies_secure: bool = False
    """Set when the platform is reached over HTTPS, so that session cookies never travel in clear."""

    clock_origin: datetime | None = None
    clock_speed: float = 1.0

    fix_retention_days: int = 30
    fix_future_tolerance_s: float = 120.0
    ingest_shards: int = 2
    session_hours: int = 12
    forecast_runs: int = 200
    forecast_interval_s: float = 60.0
    metrics_token: SecretStr = SecretStr("")
    """Lets Prometheus read /metrics from another machine; empty means from this machine only."""
    webhook_allow_private: bool = False
    """Lets enterprises' webhooks lead to http and into the own network; for tests and closed networks."""
    base_map_url: str = ""
    """A raster tile template such as https://tile.example/{z}/{x}/{y}.png; empty shows our own tiles only."""

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

    def clock(self) -> Clock:
        """The platform's clock: the machine's, or a faster one in a demonstration."""
        if self.clock_origin is not None and self.clock_speed != 1.0:
            return ScaledClock(self.clock_origin, self.clock_speed)
        return SystemClock()


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
