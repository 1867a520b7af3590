"""What stands below an attribute in a class's source: Python itself forgets it."""

from __future__ import annotations

import ast
import inspect
import textwrap


def attributes(kind: type) -> dict[str, str]:
    """Each attribute of the class, or member of the enum, with the docstring below it, on one line."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is a class
    found = {}
    for statement, below in zip(body.body, body.body[1:], strict=False):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                    found[name] = " ".join(str(below.value.value).split())
    return found
