"""The entry points (endpoints and commands) of each statement, by static analysis of app/.

Routes and commands come from the application object; from each of their functions the references
are followed through the modules of app/, down to the constants made with `db.load("...")`. A
method call on an object of unknown class counts for every class with a method of that name, and an
attribute for every constant that was made with a keyword argument of that name. What a job does
counts for those who make one.
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from flask import Flask

PACKAGE = Path(__file__).resolve().parent.parent
PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")  # in Werkzeug's rules
CONNECTION_SETUP = "app.db._new_pool"
LOADERS = ("db.load", "statements.load")
JOBS = (".job", "run")  # modules of jobs, and the method that the worker that makes one calls
CALLED_BY_MARSHMALLOW = "_deserialize"  # of a field, by the schema that has it


@dataclass
class _Definition:
    """A function, method or module constant: its references, and the statements it loads."""

    references: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    statements: set[str] = field(default_factory=set)


def entry_points(app: Flask) -> dict[str, list[str]]:
    """The endpoints and commands that run a statement, sorted, by its name.

    A statement without entry points is missing.
    """
    graph = _Graph()
    found: dict[str, set[str]] = {}
    for label, function in _all_entry_points(app):
        for statement in graph.statements(function):
            found.setdefault(statement, set()).add(label)
    return {statement: sorted(labels) for statement, labels in found.items()}


def _all_entry_points(app: Flask) -> Iterator[tuple[str, str]]:
    """The label and the function's full name of each route, hook and command."""
    for rule in app.url_map.iter_rules():
        path = PARAMETER.sub(r"{\1}", rule.rule)
        yield f"{_methods(rule.methods)} {path}", _full_name(app.view_functions[rule.endpoint])
    for scope, hooks in app.before_request_funcs.items():
        for hook in hooks:
            yield f"each request of {scope or 'the application'}", _full_name(hook)
    yield from _commands(app.cli, "flask")
    yield "each new connection", CONNECTION_SETUP


def _methods(methods: set[str] | None) -> str:
    return ",".join(sorted((methods or set()) - {"HEAD", "OPTIONS"})) or "OPTIONS"


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
        elif command is not None and command.callback is not None:
            yield f"{path} {name}", _full_name(command.callback)


def _full_name(function: Callable[..., Any]) -> str:
    function = inspect.unwrap(function)
    return f"{function.__module__}.{getattr(function, '__qualname__', '')}"


class _Graph:
    """The references between the definitions in app/."""

    def __init__(self) -> None:
        self._definitions: dict[str, _Definition] = {}
        self._methods: dict[str, set[str]] = {}
        for file in sorted(PACKAGE.rglob("*.py")):
            parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
            module = ".".join(part for part in parts if part != "__init__")
            self._read(module, ast.parse(file.read_text(encoding="utf-8")))

    def statements(self, name: str) -> set[str]:
        """The names of the statements that can be reached from a function, given by full name."""
        found: set[str] = set()
        seen: set[str] = set()
        waiting = {name}
        while waiting:
            current = waiting.pop()
            seen.add(current)
            definition = self._definitions.get(current)
            if definition is not None:
                found |= definition.statements
                called = {
                    each for method in definition.methods for each in self._methods.get(method, ())
                }
                waiting |= (definition.references | called) - seen
        return found

    def _read(self, module: str, tree: ast.Module) -> None:
        imports = dict(_imports(tree))
        for node in tree.body:
            for name in _defined(node):
                for keyword in _keywords(node):
                    attribute = f"{name}.{keyword.arg}"
                    full_name = self._define(module, attribute, keyword.value, imports)
                    self._methods.setdefault(keyword.arg or "", set()).add(full_name)
                self._define(module, name, node, imports)
            if isinstance(node, ast.ClassDef):
                self._read_class(module, node, imports)

    def _read_class(self, module: str, node: ast.ClassDef, imports: dict[str, str]) -> None:
        names = {**imports, "self": f"{module}.{node.name}"}
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and member.name != CALLED_BY_MARSHMALLOW:
                full_name = self._define(module, f"{node.name}.{member.name}", member, names)
                if module.endswith(JOBS[0]) and member.name == JOBS[1]:
                    made = self._definitions.setdefault(f"{module}.{node.name}", _Definition())
                    made.references.add(full_name)
                else:
                    self._methods.setdefault(member.name, set()).add(full_name)
            else:
                self._define(module, node.name, member, names)

    def _define(self, module: str, name: str, node: ast.AST, imports: dict[str, str]) -> str:
        definition = self._definitions.setdefault(f"{module}.{name}", _Definition())
        own = set(_local_names(node)) if isinstance(node, ast.FunctionDef) else set()
        for keyword in _keywords(node):
            keyword.value = ast.Constant(None)  # an attribute of its own
        for part in ast.walk(node):
            if isinstance(part, ast.Call) and ast.unparse(part.func) in LOADERS:
                definition.statements.update(_literal(part))
            elif isinstance(part, ast.Attribute):
                target = imports.get(ast.unparse(part.value))
                definition.references.add(f"{target}.{part.attr}")
                definition.methods.update(() if target else (part.attr,))
            elif isinstance(part, ast.Name) and part.id not in own:
                definition.references.add(imports.get(part.id, f"{module}.{part.id}"))
        return f"{module}.{name}"


def _local_names(function: ast.FunctionDef) -> Iterator[str]:
    """A function's parameters and the names that it assigns."""
    for part in ast.walk(function):
        if isinstance(part, ast.arg):
            yield part.arg
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def _literal(call: ast.Call) -> Iterator[str]:
    for argument in call.args[:1]:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def _defined(node: ast.stmt) -> Iterator[str]:
    """The names that a module's statement defines."""
    if isinstance(node, ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _keywords(node: ast.AST) -> list[ast.keyword]:
    """The keyword arguments of the call that makes a constant."""
    made = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return made.keywords if isinstance(made, ast.Call) else []


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The local and full name of each import, anywhere in the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name, alias.name
