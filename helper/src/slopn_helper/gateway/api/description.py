"""The API's OpenAPI 3.1 document, made of the wire's own types, so that both always say the same. Pure.

https://spec.openapis.org/oas/v3.1.1.html; its schemas are JSON Schema 2020-12, as msgspec writes it.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import msgspec

from slopn_helper.gateway.api.messages import LENGTHS, Ask
from slopn_helper.gateway.api.problems import STATUS
from slopn_helper.gateway.devices import MAX_NAME
from slopn_wire import enrolment_api as wire
from slopn_wire.profile import IPAddress, IPInterface

PATH = "/v1/openapi.json"

METHODS = {wire.CHALLENGE: "POST", wire.ENROL: "POST", wire.RENEW: "POST", wire.ROTATE: "POST", PATH: "GET"}
"""Every path, with the one method that it takes."""

_BYTES32 = {"pattern": "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$", "minLength": 44, "maxLength": 44}
_BASE64 = {"pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$", "maxLength": 256}
_ALWAYS = ("bad_request", "method", "too_large", "too_many", "unavailable")
_PROVEN = (*_ALWAYS, "bad_proof")
_ASKS: dict[str, tuple[type, type, tuple[str, ...], str]] = {
    wire.CHALLENGE: (Ask, wire.Challenge, _ALWAYS, "Ask for a challenge; each of the other requests needs its own."),
    wire.ENROL: (
        wire.Enrol,
        wire.Configuration,
        (*_PROVEN, "bad_token", "key_taken", "pool_exhausted"),
        "Enrol a device by a token. Again with the same key: the same device, and the token isn't used again.",
    ),
    wire.RENEW: (
        wire.Renew,
        wire.Configuration,
        (*_PROVEN, "unknown_device", "ended"),
        "Prolong an enrolment, and learn how things are configured now.",
    ),
    wire.ROTATE: (
        wire.Rotate,
        wire.Configuration,
        (*_PROVEN, "unknown_device", "ended", "key_taken"),
        "Change a device's key. Both are valid until a handshake with the new one.",
    ),
}


def document() -> dict[str, Any]:
    """All of it, as JSON has it."""
    components = _components()
    paths: dict[str, Any] = {path: {"post": _operation(path)} for path in _ASKS}
    paths[PATH] = {
        "get": {
            "operationId": "openapi",
            "summary": "This document.",
            "responses": _responses({"type": "object"}, ("method", "too_large", "too_many", "unavailable")),
        }
    }
    return {
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
        "info": {"title": "SloPN gateway: enrolment", "version": "1", "description": (wire.__doc__ or "").strip()},
        "paths": paths,
        "components": {"schemas": components},
    }


def _components() -> dict[str, Any]:
    kinds = [kind for asked, answered, _, _ in _ASKS.values() for kind in (asked, answered)] + [wire.ApiProblem]
    _, components = msgspec.json.schema_components(kinds, schema_hook=_text, ref_template="#/components/schemas/{name}")
    for asked, _answered, _codes, _about in _ASKS.values():
        properties = components[asked.__name__]["properties"]
        for name in LENGTHS.keys() & properties.keys():
            properties[name].update(_BYTES32)
        if "challenge" in properties:
            properties["challenge"].update(_BASE64)
        if "name" in properties:
            properties["name"].update(minLength=1, maxLength=MAX_NAME)
    components["ApiProblem"]["properties"]["code"]["enum"] = sorted(STATUS)
    return components


def _operation(path: str) -> dict[str, Any]:
    asked, answered, codes, about = _ASKS[path]
    return {
        "operationId": path.rpartition("/")[2],
        "summary": about,
        "requestBody": {"required": True, "content": _content({"$ref": f"#/components/schemas/{asked.__name__}"})},
        "responses": _responses({"$ref": f"#/components/schemas/{answered.__name__}"}, codes),
    }


def _responses(good: dict[str, Any], codes: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"200": {"description": "Done.", "content": _content(good)}}
    for status in sorted({STATUS[code] for code in codes}):
        named = ", ".join(code for code in codes if STATUS[code] == status)
        found[str(status)] = _problem(f"`{named}`")
        if status in {429, 503}:
            found[str(status)]["headers"] = {
                "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
            }
        if status == 405:
            found[str(status)]["headers"] = {"Allow": {"schema": {"type": "string"}}}
    found["500"] = _problem("`unavailable`: a mistake of the gateway's; its log says which.")
    return found


def _problem(about: str) -> dict[str, Any]:
    return {"description": about, "content": _content({"$ref": "#/components/schemas/ApiProblem"})}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _text(kind: Any) -> dict[str, Any]:
    if kind is IPAddress:
        return {"type": "string", "examples": [str(IPv4Address(0xC0000207)), "2001:db8::7"]}
    if kind is IPInterface:
        return {"type": "string", "examples": ["100.64.0.7/32", "fd00::7/128"]}
    raise NotImplementedError(kind)
