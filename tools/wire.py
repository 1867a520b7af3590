"""JSON Schema of everything that goes over the wire, made from the types: `make wire`; `--check` compares.

helper/wire/schema/ has one file for each direction and one for the greeting; all types stand under `$defs`. What a client sends
may leave out a field that has a default, and names no other; what the helper sends has every field.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from slopn_wire.commands import Request
from slopn_wire.events import PROTOCOL, ServerMessage
from slopn_wire.greeting import Greeting
from slopn_wire.profile import IPAddress, IPInterface, IPNetwork

FOLDER = Path(__file__).resolve().parents[1] / "helper/wire/schema"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXTS: dict[Any, tuple[str, str, list[str]]] = {
    IPAddress: ("ip-address", "An IPv4 or IPv6 address, without a zone.", ["192.0.2.1", "2001:db8::1"]),
    IPInterface: ("ip-interface", "An address with its prefix length.", ["10.9.0.2/32", "fd00::2/64"]),
    IPNetwork: ("ip-network", "A network; no bit is set below its prefix length.", ["0.0.0.0/0", "2001:db8::/32"]),
}


def main() -> int:
    """Write, or compare and say what to do."""
    files = documents()
    if "--check" not in sys.argv[1:]:
        FOLDER.mkdir(exist_ok=True)
        for path in set(FOLDER.glob("*.json")) - set(files):
            path.unlink()
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
        return 0
    found = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    if found != files:
        print("helper/wire/schema/ isn't what the types say: run `make wire` and commit the result.", file=sys.stderr)
        return 1
    return 0


def documents() -> dict[Path, str]:
    """Each file as it should be: the same text for the same types, on every machine."""
    made = {
        "request": document("request", Request, "What a client sends, one a frame.", complete=False),
        "message": document("message", ServerMessage, "What the helper sends, one a frame.", complete=True),
        "greeting": document("greeting", Greeting, "The helper's first frame, before TLS.", complete=True),
    }
    return {
        FOLDER / f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        for name, schema in made.items()
    }


def document(name: str, kind: Any, what: str, *, complete: bool) -> dict[str, Any]:
    """The schema of `kind`. `complete`: its sender leaves out no field."""
    (root,), components = msgspec.json.schema_components([kind], schema_hook=_text)
    described = _field_docs(kind)
    for title, schema in components.items():
        for field, text in described.get(title, {}).items():
            # A description beside a `$ref` is allowed since draft 2019-09.
            schema["properties"][field]["description"] = text
        if complete and "properties" in schema:
            schema["required"] = list(schema["properties"])
    texts = {kind.__name__: _text_type(kind) for kind in _TEXTS if _ref(kind) in json.dumps(components)}
    return {
        "$schema": DIALECT,
        "$id": f"urn:slopn:wire:{PROTOCOL[0]}:{name}",
        "$comment": f"Made by `make wire` from slopn_wire, protocol {PROTOCOL[0]}.{PROTOCOL[1]}; never edit.",
        "description": what,
        **_with_constants(root),
        "$defs": _with_constants(components) | texts,
    }


def _text(kind: Any) -> dict[str, Any]:
    """What msgspec writes where a field has one of the ipaddress types."""
    if kind not in _TEXTS:
        raise NotImplementedError  # msgspec then names the type
    return {"$ref": _ref(kind)}


def _ref(kind: Any) -> str:
    return f"#/$defs/{kind.__name__}"


def _text_type(kind: Any) -> dict[str, Any]:
    name, description, examples = _TEXTS[kind]
    return {"title": kind.__name__, "description": description, "type": "string", "format": name, "examples": examples}


def _with_constants(schema: Any) -> Any:
    """A tag is a `const`, which generators of other languages' types know; msgspec writes an `enum` of one."""
    if isinstance(schema, dict):
        rest = {key: _with_constants(value) for key, value in schema.items()}
        if isinstance(rest.get("enum"), list) and len(rest["enum"]) == 1 and "title" not in rest:
            rest["const"] = rest.pop("enum")[0]
        return rest
    if isinstance(schema, list | tuple):
        return [_with_constants(member) for member in schema]
    return schema


def _field_docs(kind: Any) -> dict[str, dict[str, str]]:
    """The strings that stand below fields, by type and field: Python forgets them, its source doesn't."""
    modules = {inspect.getmodule(part) for part in _structs(kind, set())}
    sources = [ast.parse(inspect.getsource(module)) for module in modules if module is not None]
    classes = [node for source in sources for node in source.body if isinstance(node, ast.ClassDef)]
    return {node.name: dict(_documented(node)) for node in classes}


def _documented(node: ast.ClassDef) -> list[tuple[str, str]]:
    found = []
    for field, text in zip(node.body, node.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found.append((name, inspect.cleandoc(words)))
    return found


def _structs(kind: Any, seen: set[Any]) -> set[Any]:
    """Every struct that `kind` leads to."""
    todo = [msgspec.inspect.type_info(kind)]
    while todo:
        info = todo.pop()
        if isinstance(info, msgspec.inspect.StructType) and info.cls not in seen:
            seen.add(info.cls)
            todo += [field.type for field in info.fields]
        todo += _inner(info)
    return seen


def _inner(info: Any) -> list[msgspec.inspect.Type]:
    match info:
        case msgspec.inspect.UnionType(types=types):
            return list(types)
        case msgspec.inspect.TupleType(item_types=types):
            return list(types)
        case msgspec.inspect.VarTupleType(item_type=one) | msgspec.inspect.ListType(item_type=one):
            return [one]
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return [key, value]
        case _:
            return []


if __name__ == "__main__":
    sys.exit(main())
