"""Flask's dispatch, for an application without sessions, signals, templates and teardown.

Views, hooks and error handlers are Flask's, and so is each decision; what an endpoint needs is
looked up once. Flask's own way takes four times as long, most of it for what is not used here.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response
from flask.ctx import AppContext, RequestContext
from flask.globals import _cv_app, _cv_request
from werkzeug.exceptions import NotFound
from werkzeug.routing import MapAdapter, Rule

from app import web

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

UUIDS = re.compile("([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
ANYBODY = "me"  # the one argument that is no UUID and has a shape of its own


@dataclass(frozen=True)
class _Match:
    """Where paths of one shape lead: the arguments that all have, and the names of the UUIDs."""

    rule: Rule
    fixed: dict[str, Any]
    names: list[str]


Hook = Callable[..., Any]


@dataclass(frozen=True)
class _Course:
    """What runs for an endpoint, in this order."""

    endpoint: str | None
    preprocessors: list[Hook]
    before: list[Hook]
    view: Hook
    after: list[Hook]


class _Rule(Rule):
    """One that prepares for building addresses when one is built: it took most of the start."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = partial(super()._compile_builder, append_unknown)

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compiled()(rule, **values)

        return build


class _Context(RequestContext):
    """A request's, with what few requests need made when it is asked for."""

    def __init__(self, app: Flask, request: web.Request) -> None:
        self.app, self.request = app, request
        self._after_request_functions = []

    @cached_property
    def url_adapter(self) -> MapAdapter | None:  # type: ignore[override]
        """Where a path leads: neither Host nor Upgrade has a say in it, the first time either."""
        request = self.request
        return self.app.url_map.bind("", path_info=request.path, default_method=request.method)


class Application(Flask):
    """Flask, whose views and hooks are plain functions."""

    request_class = web.Request
    url_rule_class = _Rule

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._matches: dict[tuple[str, ...], _Match] = {}
        self._courses: dict[str | None, _Course] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Flask looks anew at each call whether it is a coroutine."""
        return func

    def wsgi_app(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answers a request."""
        request = web.Request(environ)
        request.app = self
        context = _Context(self, request)
        tokens = _cv_app.set(AppContext(self)), _cv_request.set(context), web.current.set(request)
        try:
            self._match(context)
            try:
                response = self._run(request)
            except Exception as error:  # noqa: BLE001  # of a hook or handler; Flask logs it
                response = self.handle_exception(error)
            return response(environ, start_response)
        finally:
            web.current.reset(tokens[2])
            _cv_request.reset(tokens[1])
            _cv_app.reset(tokens[0])
            environ["werkzeug.request"] = None  # or the two would keep each other alive

    def process_response(self, response: Response) -> Response:
        """Runs the hooks that follow an answer, whoever made it."""
        for hook in self._course(web.this_request()).after:
            response = hook(response)
        return response

    def _run(self, request: Request) -> Response:
        try:
            response = self._view(self._course(request), request)
        except Exception as error:  # noqa: BLE001  # the handlers decide
            response = self.handle_user_exception(error)  # type: ignore[assignment]
        return self.process_response(response)

    def _course(self, request: Request) -> _Course:
        return self._courses.get(request.endpoint) or self._plan(request)

    def _view(self, course: _Course, request: Request) -> Response:
        for preprocess in course.preprocessors:
            preprocess(course.endpoint, request.view_args)
        for hook in course.before:
            early: Response | None = hook()
            if early is not None:
                return early
        answer = course.view(**(request.view_args or {}))
        return answer if isinstance(answer, Response) else self.make_response(answer)

    def _plan(self, request: Request) -> _Course:
        """Collects what Flask would at each request."""
        endpoint, blueprints = request.endpoint, request.blueprints
        outwards = [*blueprints, None]
        inwards = outwards[::-1]
        course = self._courses[endpoint] = _Course(
            endpoint,
            [each for name in inwards for each in self.url_value_preprocessors.get(name, ())],
            [each for name in inwards for each in self.before_request_funcs.get(name, ())],
            self._refuse if endpoint is None else self.view_functions[endpoint],
            [
                each
                for name in outwards
                for each in reversed(self.after_request_funcs.get(name, ()))
            ],
        )
        return course

    def _refuse(self) -> Response:
        self.raise_routing_exception(web.this_request())

    def _match(self, context: _Context) -> None:
        """Werkzeug decides where a path leads, and then all that differ in their UUIDs alone."""
        request = context.request
        parts = UUIDS.split(request.path)
        shape, found = (request.method, *parts[::2]), parts[1::2]
        match = self._matches.get(shape)
        if match is not None:
            request.url_rule = match.rule
            request.view_args = {**match.fixed, **dict(zip(match.names, found, strict=True))}
            return
        if request.path.startswith("//"):  # Werkzeug would overlook what is too many
            request.routing_exception = NotFound()
            return
        context.match_request()
        if request.url_rule is not None:
            self._remember(shape, found, request.url_rule, request.view_args or {})

    def _remember(
        self, shape: tuple[str, ...], found: list[str], rule: Rule, arguments: dict[str, Any]
    ) -> None:
        """Keeps the match, unless a client could make any number of such shapes up."""
        names = [name for each in found for name, value in arguments.items() if value == each]
        fixed = {name: value for name, value in arguments.items() if name not in names}
        if len(names) == len(found) == len(set(names)) and set(fixed.values()) <= {ANYBODY}:
            self._matches[shape] = _Match(rule, fixed, names)
