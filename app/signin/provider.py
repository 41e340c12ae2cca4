"""An identity provider (OpenID Connect Core 1.0), by authlib: discovery, code flow with PKCE, checked tokens.

Only what the provider signed with its published keys counts, for this client, for this one request (`nonce`). Any
provider that does this will do; VNeID, where an agency connects to it by OpenID Connect, is a set of settings.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import httpx
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.base_client.sync_app import BaseApp, OAuth2Mixin
from authlib.integrations.base_client.sync_openid import OpenIDMixin
from authlib.integrations.httpx_client import OAuth2Client
from joserfc.errors import JoseError

from app.platform.json import JsonObject
from geo.errors import UnauthenticatedError, UnavailableError

TIMEOUT_S: Final = 8.0
CLOCK_LEEWAY_S: Final = 60
SIGNED_BY_KEY_PAIRS: Final = ("RS", "PS", "ES", "Ed")
"""Algorithms whose keys the provider alone holds; HMAC would make the client's secret one of them."""
REFUSED: Final = "The identity provider did not sign you in. Try again."


class _App(OAuth2Mixin, OpenIDMixin, BaseApp):  # type: ignore[misc] # authlib has no types
    """authlib's client without one of the frameworks it knows."""

    client_cls = OAuth2Client


@dataclass(frozen=True)
class Redirect:
    """Where to send a browser, and what has to come back with it."""

    url: str
    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True)
class Identity:
    """Somebody as the provider knows them."""

    issuer: str
    subject: str
    username: str
    full_name: str
    roles: tuple[str, ...]
    methods: frozenset[str]
    """How they signed in there (`amr`)."""
    signed_in_s: float | None
    """When they last did, in seconds since 1970 (`auth_time`), if it says so."""


class Provider:
    """The provider of an installation; its discovery document and keys are read once, keys again when one is new."""

    def __init__(self, *, issuer: str, client_id: str, client_secret: str, scope: str, role_claim: str) -> None:
        self.issuer = issuer
        self._role_claim = role_claim
        self._client_id = client_id
        self._lock = threading.Lock()
        self._app = _App(
            None,
            client_id=client_id,
            client_secret=client_secret or None,
            server_metadata_url=issuer.rstrip("/") + "/.well-known/openid-configuration",
            client_kwargs={"scope": scope, "code_challenge_method": "S256", "timeout": TIMEOUT_S},
        )

    def begin(self, redirect_uri: str, *, is_proof: bool) -> Redirect:
        """Where to send a browser; `is_proof` wants the person to sign in there again, whoever is signed in.

        Raises
        ------
        UnavailableError
            If the provider does not answer, or is not the one that the settings name.
        """
        self._discover()
        more = {"prompt": "login", "max_age": "0"} if is_proof else {}
        made = self._app.create_authorization_url(redirect_uri, **more)
        return Redirect(made["url"], made["state"], made["nonce"], made["code_verifier"])

    def complete(self, redirect_uri: str, code: str, *, nonce: str, code_verifier: str) -> Identity:
        """Who came back with a code.

        Raises
        ------
        UnauthenticatedError
            If the provider takes the code for wrong, or its token is not one for this request.
        UnavailableError
            If the provider does not answer.
        """
        self._discover()
        try:
            token = self._app.fetch_access_token(redirect_uri, code=code, code_verifier=code_verifier)
            options = {
                "iss": {"essential": True, "values": [self.issuer]},
                "aud": {"essential": True, "values": [self._client_id]},
            }
            claims = self._app.parse_id_token(token, nonce, claims_options=options, leeway=CLOCK_LEEWAY_S)
        except httpx.HTTPError:
            raise self._away() from None
        except (OAuthError, JoseError, ValueError, KeyError, TypeError):
            raise UnauthenticatedError(REFUSED) from None
        if claims is None:
            raise UnauthenticatedError(REFUSED)
        return self._identity(dict(claims))

    def _discover(self) -> None:
        with self._lock:
            try:
                metadata = self._app.load_server_metadata()
            except (httpx.HTTPError, ValueError):
                raise self._away() from None
            if metadata.get("issuer") != self.issuer:
                self._app.server_metadata.clear()
                raise self._away()
            offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
            metadata["id_token_signing_alg_values_supported"] = [
                name for name in offered if name.startswith(SIGNED_BY_KEY_PAIRS)
            ]

    def _identity(self, claims: JsonObject) -> Identity:
        found: object = claims
        for part in self._role_claim.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        roles = found if isinstance(found, list) else [found]
        methods = claims.get("amr")
        signed_in_s = claims.get("auth_time")
        return Identity(
            issuer=self.issuer,
            subject=str(claims["sub"]),
            username=str(claims.get("preferred_username") or ""),
            full_name=str(claims.get("name") or ""),
            roles=tuple(role for role in roles if isinstance(role, str)),
            methods=frozenset(str(method) for method in methods) if isinstance(methods, list) else frozenset(),
            signed_in_s=float(signed_in_s) if isinstance(signed_in_s, int | float) else None,
        )

    def _away(self) -> UnavailableError:
        return UnavailableError("The identity provider {issuer} does not answer as it should.", issuer=self.issuer)
