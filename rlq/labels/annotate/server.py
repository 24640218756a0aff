"""The server of the gender page: it lists people, serves their pictures by number, and saves answers."""

from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, request

from rlq.core.local_page import Guard, LocalPage, file_response, guarded_app, html_response
from rlq.data.image_header import refusal
from rlq.labels.annotate.store import AnswerFile
from rlq.labels.gender import ANSWERS, Answer

MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".bmp": "image/bmp",
    ".webp": "image/webp",
}


class Page(LocalPage):
    """A page of this machine that shows one person at a time and saves an answer per key press."""

    def __init__(self, answers: AnswerFile, title: str, root: Path, *, port: int = 0) -> None:
        """`root` is the data set's folder; port 0 takes any free port. Raises SettingsError if the port is in use."""
        super().__init__(partial(_app, answers, title, root), port=port)


def make_app(answers: AnswerFile, title: str, root: Path, *, port: int, token: str) -> Flask:
    """Return the page's app. It answers requests that pass the guard, and serves only pictures of the folder `root`."""
    return _app(answers, title, root, Guard(port, token))


def _app(answers: AnswerFile, title: str, root: Path, guard: Guard) -> Flask:
    app = guarded_app(__name__, guard)
    template = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    routes: list[tuple[str, str, Callable[..., Response]]] = [
        ("GET", "/", partial(html_response, template, title=title, token=guard.token)),
        ("GET", "/people", partial(_people, answers)),
        ("GET", "/pictures/<int:person>/<int:number>", partial(_picture, answers, root)),
        ("POST", "/answer", partial(_answer, answers)),
        ("POST", "/undo", partial(_undo, answers)),
    ]
    for method, address, view in routes:
        app.add_url_rule(address, address, view, methods=[method])
    return app


def _people(answers: AnswerFile) -> Response:
    listed = [{"pid": subject.pid, "pictures": len(subject.pictures)} for subject in answers.people]
    return jsonify(people=listed, file=str(answers.path), answers=answers.answers)


def _picture(answers: AnswerFile, root: Path, person: int, number: int) -> Response:
    if person >= len(answers.people) or number >= len(answers.people[person].pictures):
        abort(404, f"there is no picture {number} of person {person}")
    return file_response(answers.people[person].pictures[number], root, MEDIA_TYPES, refusal)


def _answer(answers: AnswerFile) -> Response:
    answers.answer(*_person_and_answer(request.get_json(), len(answers.people)))
    return jsonify(answers=answers.answers)


def _person_and_answer(body: Any, people: int) -> tuple[int, Answer]:
    """Return what a request says about whom, or answer 400."""
    person, answer = (body.get("person"), body.get("answer")) if isinstance(body, dict) else (None, None)
    if not isinstance(person, int) or isinstance(person, bool) or not 0 <= person < people:
        abort(400, f"person {person!r} should be a number below {people}")
    if answer not in ANSWERS:
        abort(400, f"answer {answer!r} should be one of {', '.join(ANSWERS)}")
    return person, answer


def _undo(answers: AnswerFile) -> Response:
    person = answers.undo()
    return jsonify(person=person, answers=answers.answers)
