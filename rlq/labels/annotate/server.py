"""The page's server: for this machine only, pictures by number only, answers only from the page itself."""

import secrets
import socket
from importlib import resources
from pathlib import Path

from flask import Flask, Response, abort, jsonify, render_template_string, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.serving import WSGIRequestHandler, make_server

from rlq.core.errors import DataError, SettingsError
from rlq.core.files import content_of, leads_out
from rlq.data.image_header import refusal
from rlq.labels.annotate.store import AnswerFile
from rlq.labels.gender import ANSWERS

LOOPBACK = "127.0.0.1"
TOKEN = "X-RLQ-Token"  # noqa: S105 - the header's name, not what is in it
KINDS = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".bmp": "image/bmp",
    ".webp": "image/webp",
}


class Page:
    """An address on this machine that shows one person at a time and saves what the keys say."""

    def __init__(self, answers: AnswerFile, title: str, root: Path, *, port: int = 0) -> None:
        """`root` is the set's folder; port 0 is any free one. Raises SettingsError when the port is taken."""
        with _listening(port) as found:
            self.port: int = found.getsockname()[1]
            self.token = secrets.token_urlsafe(16)
            self.app = make_app(answers, title, root, port=self.port, token=self.token)
            self._server = make_server(
                *(LOOPBACK, self.port, self.app),
                threaded=True,
                request_handler=_Quiet,
                fd=found.fileno(),  # werkzeug ends the process where it cannot have a port
            )

    @property
    def address(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/?token={self.token}"

    def serve(self) -> None:
        """Answer until Ctrl-C, or until `stop` is called from another thread."""
        self._server.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        self._server.shutdown()


def make_app(answers: AnswerFile, title: str, root: Path, *, port: int, token: str) -> Flask:
    """What the server answers with. Whoever does not know the token sees and changes nothing, and whoever does sees
    pictures of the set in `root` alone: no file that a link leads to from there, and none that is no picture."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 1000
    page = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    hosts = {f"{name}:{port}" for name in (LOOPBACK, "localhost")}

    @app.before_request
    def guard() -> None:
        """Pages of other sites reach this address too, by a name of theirs or by a form: they get nothing."""
        if request.host not in hosts:
            abort(403, f"this page is http://{LOOPBACK}:{port} only; a tunnel needs the same port at both ends")
        given = request.headers.get(TOKEN) or (request.args.get("token", "") if request.method == "GET" else "")
        if not secrets.compare_digest(given.encode(), token.encode()):
            abort(403, "open the address that rlq printed, with its token")
        if request.method not in ("GET", "HEAD", "OPTIONS") and not _from_page(hosts):
            abort(403, "answers are taken from the page itself only")

    @app.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        return jsonify(error=error.description), error.code or 500

    @app.errorhandler(DataError)
    def not_saved(error: DataError) -> ResponseReturnValue:
        return jsonify(error=str(error)), 500

    @app.get("/")
    def show() -> ResponseReturnValue:
        nonce = secrets.token_urlsafe(16)
        response = Response(render_template_string(page, title=title, token=token, nonce=nonce))
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src blob: data:; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return response

    @app.get("/people")
    def people() -> ResponseReturnValue:
        listed = [{"pid": one.pid, "pictures": len(one.pictures)} for one in answers.people]
        return jsonify(people=listed, file=str(answers.path), answers=answers.answers)

    @app.get("/pictures/<int:person>/<int:number>")
    def picture(person: int, number: int) -> ResponseReturnValue:
        if person >= len(answers.people) or number >= len(answers.people[person].pictures):
            abort(404, f"there is no picture {number} of person {person}")
        path = answers.people[person].pictures[number]
        try:
            # Folders of a set may be links that its owner has laid; a single picture that is one leads astray.
            if path.is_symlink() and leads_out(path, root) and leads_out(path, path.parent):
                abort(404, f"{path} is a link that leads out of {root}")
            content = content_of(path)
        except OSError as error:
            abort(404, f"{path}: {error.strerror or error}")
        if reason := refusal(content):
            abort(404, f"{path}: {reason}")
        return Response(content, mimetype=KINDS.get(path.suffix.lower(), "application/octet-stream"))

    @app.post("/answer")
    def answer() -> ResponseReturnValue:
        given = request.get_json()
        person, word = (given.get("person"), given.get("answer")) if isinstance(given, dict) else (None, None)
        if not isinstance(person, int) or isinstance(person, bool) or not 0 <= person < len(answers.people):
            abort(400, f"person {person!r} should be a number below {len(answers.people)}")
        if word not in ANSWERS:
            abort(400, f"answer {word!r} should be one of {', '.join(ANSWERS)}")
        answers.answer(person, word)
        return jsonify(answers=answers.answers)

    @app.post("/undo")
    def undo() -> ResponseReturnValue:
        person = answers.undo()
        return jsonify(person=person, answers=answers.answers)

    return app


def _from_page(hosts: set[str]) -> bool:
    """Whether a browser says that the request comes from our page."""
    source = request.headers.get("Origin") or request.headers.get("Referer") or ""
    return any(source == f"http://{host}" or source.startswith(f"http://{host}/") for host in hosts)


def _listening(port: int) -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((LOOPBACK, port))
        found.listen(64)
    except OSError as error:
        found.close()
        raise SettingsError(f"port {port} cannot be had ({error.strerror}); --port 0 takes a free one") from error
    return found


class _Quiet(WSGIRequestHandler):
    """Does not tell of every picture."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """What goes wrong is shown on the page."""
