"""What the page has from elsewhere: app/ui/src/wire.ts from helper/wire/schema/*.json, app/ui/src/health.ts from the health list.

`--check` compares.

A type that both directions have stands there as the helper sends it, with every field; what only a client sends may leave
out a field that has a default.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "helper/wire/schema"
TARGET = ROOT / "app/ui/src/wire.ts"
HEALTH = ROOT / "app/ui/src/health.ts"
_HEADER = "// Made by `python -m tools.ui_types` from helper/wire/schema/; never edit.\n"
_HEADER_HEALTH = "// Made by `python -m tools.ui_types` from helper/src/slopn_helper/health.py; never edit.\n"
_WORDS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def main() -> int:
    """Write, or compare and say what to do."""
    if "--check" in sys.argv[1:]:
        return check()
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
    return 0


def check() -> int:
    """1, and what to do, unless the files are what the schema and the health list say."""
    stale = [path.name for path, text in documents().items() if not path.is_file() or path.read_text("utf-8") != text]
    if stale:
        print(f"app/ui/src/{', '.join(stale)}: stale; run `python3 -m tools.ui_types`, commit it.", file=sys.stderr)
    return 1 if stale else 0


def documents() -> dict[Path, str]:
    """Each file as it should be."""
    return {TARGET: document(), HEALTH: health()}


def health() -> str:
    """The health list's sentences by their codes, for a page in another language than English."""
    rows = [f"  {json.dumps(code)}: {json.dumps(texts, ensure_ascii=False)},\n" for code, texts in warnings().items()]
    about = "// Sentence and remedy by code, from slopn_helper.health.\n"
    return f"{_HEADER_HEALTH}{about}\nexport const HEALTH: Record<string, string[]> = {{\n{''.join(rows)}}};\n"


def warnings() -> dict[str, list[str]]:
    """Sentence and remedy of each warning by its code, read without running the helper's sources."""
    tree = ast.parse((ROOT / "helper/src/slopn_helper/health.py").read_text(encoding="utf-8"))
    names = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    registry = next(node.value for node in tree.body if isinstance(node, ast.AnnAssign) and _is_registry(node))
    if not isinstance(registry, ast.Dict):
        raise TypeError("the health list's REGISTRY isn't written out as a dict")
    found = {}
    for key, kind in zip(registry.keys, registry.values, strict=True):
        code = names[key.id] if isinstance(key, ast.Name) else ast.literal_eval(key or ast.Constant(""))
        texts = [ast.literal_eval(part) for part in getattr(kind, "args", []) if isinstance(part, ast.Constant)]
        found[str(code)] = [str(text) for text in texts]
    return found


def _is_registry(node: ast.AnnAssign) -> bool:
    return isinstance(node.target, ast.Name) and node.target.id == "REGISTRY"


def document() -> str:
    """The wire's types."""
    request, message = (json.loads((SCHEMA / f"{name}.json").read_text("utf-8")) for name in ("request", "message"))
    types = request["$defs"] | message["$defs"]
    parts = [declaration(name, types[name]) for name in sorted(types)]
    commands = request["$defs"]["Request"]["properties"]["command"]
    results = message["$defs"]["Reply"]["properties"]["result"]
    bodies = message["$defs"]["Event"]["properties"]["body"]
    parts += [
        f"/** What a client may ask. */\nexport type Command = {expression(commands)};\n",
        f"/** What the helper answers. */\nexport type Result = {expression(results)};\n",
        f"/** What an event may say. */\nexport type EventBody = {expression(bodies)};\n",
    ]
    return "\n".join([_HEADER, *parts])


def declaration(name: str, schema: dict[str, Any]) -> str:
    """An `export` with its comment."""
    about = _comment(schema.get("description"), "")
    if schema.get("type") != "object" or "properties" not in schema:
        return f"{about}export type {name} = {expression(schema)};\n"
    required = set(schema.get("required", ()))
    fields = [
        f"{_comment(field.get('description'), '  ')}  {key}{'' if key in required else '?'}: {expression(field)};\n"
        for key, field in schema["properties"].items()
    ]
    return f"{about}export interface {name} {{\n{''.join(fields)}}}\n"


def expression(schema: dict[str, Any]) -> str:
    """The TypeScript type of a schema. Raises `ValueError` for what this schema has never had yet."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(expression(each) for each in schema["anyOf"]))
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            return f"[{', '.join(expression(each) for each in schema['prefixItems'])}]"
        case "array":
            inner = expression(schema["items"])
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case "object":
            return f"Record<string, {expression(schema['additionalProperties'])}>"
        case str(word) if word in _WORDS:
            return _WORDS[word]
        case other:
            raise ValueError(f"a schema of type {other!r}: teach tools/ui_types.py")


def _comment(text: str | None, indent: str) -> str:
    if not text:
        return ""
    lines = text.replace("*/", "* /").splitlines()
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    body = "\n".join(f"{indent} * {line}".rstrip() for line in lines)
    return f"{indent}/**\n{body}\n{indent} */\n"


if __name__ == "__main__":
    sys.exit(main())
