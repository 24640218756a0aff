"""Web pages that are served to the user of this machine only, and the guard that protects them.

Every local process and every web site in the user's browser can send requests to a loopback port. A request is
therefore answered only if it names the page's own host, carries the token of the printed address, and, where it may
change something, comes from the page itself. Flask is imported when a page is made, not with this module.
"""

import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlq.core.errors import DataError, SettingsError
from rlq.core.files import content_of, leads_out

if TYPE_CHECKING:
    from flask import Flask, Response
    from werkzeug.serving import BaseWSGIServer

LOOPBACK = "127.0.0.1"
TOKEN_HEADER = "X-RLQ-Token"  # noqa: S105 - the header's name, not its value
TOKEN_BYTES = 16
LARGEST_REQUEST = 1000  # bytes of a request's body
WAITING_CONNECTIONS = 64
READING_METHODS = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Guard:
    """The address of one page and the rule by which requests to it are answered."""

    port: int
    token: str

    @property
    def address(self) -> str:
        """The address to print; the token in it is the permission to use the page."""
        return f"http://{LOOPBACK}:{self.port}/?token={self.token}"

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(f"{name}:{self.port}" for name in (LOOPBACK, "localhost"))

    def refusal(self, method: str, host: str, *, token: str, source: str) -> str | None:
        """Return why a request is refused; None means that it may be answered.

        `token` is the one that the request carries, `source` its Origin or Referer, "" where the browser sends neither.
        """
        if host not in self.hosts:
            return f"this page is http://{LOOPBACK}:{self.port} only; a tunnel needs the same port at both ends"
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return "open the address that rlq printed, with its token"
        if method not in READING_METHODS and not self._is_own_page(source):
            return "answers are accepted from the page itself only"
        return None

    def _is_own_page(self, source: str) -> bool:
        origins = [f"http://{host}" for host in self.hosts]
        return any(source == origin or source.startswith(f"{origin}/") for origin in origins)


class LocalPage:
    """A web page on a loopback port of this machine."""

    def __init__(self, make_app: Callable[[Guard], "Flask"], *, port: int = 0) -> None:
        """Port 0 takes any free port. Raises SettingsError if the port cannot be used."""
        with listening_socket(port) as listener:
            self.guard = Guard(listener.getsockname()[1], secrets.token_urlsafe(TOKEN_BYTES))
            # The server inherits the open socket, because werkzeug ends the process if it cannot bind a port itself.
            self._server = _server(make_app(self.guard), self.guard.port, listener.fileno())

    @property
    def port(self) -> int:
        return self.guard.port

    @property
    def token(self) -> str:
        return self.guard.token

    @property
    def address(self) -> str:
        return self.guard.address

    def serve(self) -> None:
        """Answer requests until Ctrl-C, or until another thread calls `stop`."""
        self._server.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        self._server.shutdown()


def listening_socket(port: int) -> socket.socket:
    """Return a socket that listens on the loopback interface. Raises SettingsError if the port cannot be used."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(WAITING_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise SettingsError(f"port {port} cannot be used ({error.strerror}); --port 0 takes a free one") from error
    return listener


def guarded_app(name: str, guard: Guard) -> "Flask":
    """Return a Flask app without routes whose every request passes the guard; errors are answered as JSON."""
    from flask import Flask

    app = Flask(name, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    _add_guard(app, guard)
    _add_error_answers(app)
    return app


def html_response(template: str, **values: str) -> "Response":
    """Render a page whose own scripts and styles (marked with `nonce`) are the only ones that the browser runs."""
    from flask import Response, render_template_string

    nonce = secrets.token_urlsafe(TOKEN_BYTES)
    response = Response(render_template_string(template, nonce=nonce, **values))
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return response


def file_response(
    path: Path, root: Path, media_types: Mapping[str, str], refusal: Callable[[bytes], str | None]
) -> "Response":
    """Serve one file of the folder `root`, or answer 404 with the reason.

    `media_types` maps suffixes to content types; `refusal` returns why a content must not be served.
    """
    from flask import Response, abort

    try:
        if is_foreign_link(path, root):
            abort(404, f"{path} is a link that leads out of {root}")
        content = content_of(path)
    except OSError as error:
        abort(404, f"{path}: {error.strerror or error}")
    if reason := refusal(content):
        abort(404, f"{path}: {reason}")
    return Response(content, mimetype=media_types.get(path.suffix.lower(), "application/octet-stream"))


def is_foreign_link(path: Path, root: Path) -> bool:
    """Return whether a file is a link to somewhere outside `root` and outside its own folder.

    Folders below `root` may be links, because owners of data sets arrange them so; a single file that leads away is
    not expected.
    """
    return path.is_symlink() and leads_out(path, root) and leads_out(path, path.parent)


def _add_guard(app: "Flask", guard: Guard) -> None:
    from flask import Response, abort, request

    @app.before_request
    def refuse_others() -> None:
        # A link opens the page, but every change needs the header, which another site cannot set.
        token_in_address = request.args.get("token", "") if request.method == "GET" else ""
        token = request.headers.get(TOKEN_HEADER) or token_in_address
        source = request.headers.get("Origin") or request.headers.get("Referer") or ""
        if reason := guard.refusal(request.method, request.host, token=token, source=source):
            abort(403, reason)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response


def _add_error_answers(app: "Flask") -> None:
    from flask import Response, jsonify
    from werkzeug.exceptions import HTTPException

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> tuple[Response, int]:
        return jsonify(error=error.description), error.code or 500

    @app.errorhandler(DataError)
    def failed(error: DataError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 500


def _server(app: "Flask", port: int, descriptor: int) -> "BaseWSGIServer":
    from werkzeug.serving import WSGIRequestHandler, make_server

    class QuietHandler(WSGIRequestHandler):
        """Writes no line per request; the page itself shows errors."""

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    return make_server(LOOPBACK, port, app, threaded=True, request_handler=QuietHandler, fd=descriptor)
