import json
import socket
import threading
import urllib.error
import urllib.request
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from flask.testing import FlaskClient
from naming import assert_names
from PIL import Image

from rlq.core.errors import SettingsError
from rlq.labels.annotate.people import Subject
from rlq.labels.annotate.server import Page, make_app
from rlq.labels.annotate.store import AnswerFile

PORT, KEY = 8123, "k-1_3"
HOME = f"http://127.0.0.1:{PORT}"
WITH_KEY = {"X-RLQ-Token": KEY}
FROM_PAGE = {**WITH_KEY, "Origin": HOME}


@pytest.fixture
def answers(tmp_path) -> AnswerFile:
    people = []
    for pid in ("001", "002"):
        pictures = [tmp_path / f"{pid}_{number}.png" for number in range(2)]
        for number, path in enumerate(pictures):
            Image.fromarray(np.full((8, 4, 3), 10 * int(pid) + number, np.uint8)).save(path)
        people.append(Subject(pid, "train", ("train",), tuple(pictures)))
    return AnswerFile(tmp_path / "gender.csv", people)


class Browser(FlaskClient):
    """Asks the address that is printed, unless a test names another host."""

    def open(self, *args, **kwargs):
        return super().open(*args, base_url=HOME, **kwargs)


@pytest.fixture
def client(answers):
    app = make_app(answers, "prcc", answers.path.parent, port=PORT, token=KEY)
    app.test_client_class = Browser
    return app.test_client()


def test_the_page_names_the_set_and_needs_nothing_from_elsewhere(client):
    shown = client.get("/", query_string={"token": KEY})
    text = shown.get_data(as_text=True)
    assert shown.status_code == 200 and "<title>prcc: gender</title>" in text and f'const TOKEN = "{KEY}"' in text
    assert "://" not in text
    policy = shown.headers["Content-Security-Policy"]
    nonce = policy.split("script-src 'nonce-")[1].split("'")[0]
    assert "default-src 'none'" in policy and text.count(f'nonce="{nonce}"') == 2 == text.count("nonce=")
    assert client.get("/", query_string={"token": KEY}).headers["Content-Security-Policy"] != policy


def test_the_page_tells_who_there_is_and_what_is_answered(client, answers):
    answers.answer(1, "u")
    listed = client.get("/people", headers=WITH_KEY).json
    assert listed["people"] == [{"pid": "001", "pictures": 2}, {"pid": "002", "pictures": 2}]
    assert listed["answers"] == [None, "u"] and listed["file"] == str(answers.path)


def test_a_key_is_saved_before_it_is_confirmed_and_taken_back_by_undo(client, answers):
    said = client.post("/answer", json={"person": 1, "answer": "f"}, headers=FROM_PAGE)
    assert said.status_code == 200 and said.json == {"answers": [None, "f"]}
    assert answers.path.read_text().splitlines()[1:] == ["train,002,0,f"]
    assert client.post("/undo", json={}, headers=FROM_PAGE).json == {"person": 1, "answers": [None, None]}
    assert answers.path.read_text().splitlines()[1:] == []
    assert client.post("/undo", json={}, headers=FROM_PAGE).json == {"person": None, "answers": [None, None]}


def test_pictures_are_served_by_number_and_kept_nowhere(client, answers):
    shown = client.get("/pictures/1/0", headers=WITH_KEY)
    assert shown.data == answers.people[1].pictures[0].read_bytes() and shown.mimetype == "image/png"
    assert shown.headers["Cache-Control"] == "no-store"
    for path in ("/pictures/2/0", "/pictures/0/2", "/pictures/-1/0", "/pictures/0/..%2f001_0.png", "/001_0.png"):
        assert client.get(path, headers=WITH_KEY).status_code == 404, path


def test_a_picture_that_is_gone_is_told_by_name(client, answers):
    answers.people[0].pictures[1].unlink()
    shown = client.get("/pictures/0/1", headers=WITH_KEY)
    assert shown.status_code == 404 and "001_1.png" in shown.json["error"]


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", "127.0.0.1", f"0.0.0.0:{PORT}"]
)
def test_another_name_for_this_machine_gets_nothing(client, host):
    refused = client.get("/people", headers={**WITH_KEY, "Host": host})
    assert refused.status_code == 403 and HOME in refused.json["error"]
    assert client.get("/people", headers={**WITH_KEY, "Host": f"localhost:{PORT}"}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/people", "/pictures/0/0", "/nothing"])
def test_whoever_does_not_know_the_token_sees_nothing(client, path):
    for given in ({}, {"X-RLQ-Token": "k-1_4"}, {"X-RLQ-Token": "ü"}):
        refused = client.get(path, headers=given)
        assert refused.status_code == 403 and refused.json["error"]
        assert KEY not in refused.get_data(as_text=True)


@pytest.mark.parametrize(
    "headers",
    [
        WITH_KEY,
        {**WITH_KEY, "Origin": "http://evil.example"},
        {**WITH_KEY, "Origin": f"{HOME}.evil.example"},
        {**WITH_KEY, "Origin": "null"},
        {**WITH_KEY, "Origin": "http://evil.example", "Referer": f"{HOME}/"},
        {**WITH_KEY, "Referer": f"http://evil.example/{HOME}/"},
        {"Origin": HOME},
        {"Origin": HOME, "X-RLQ-Token": "wrong"},
    ],
)
@pytest.mark.parametrize("path", ["/answer", "/undo"])
def test_answers_from_anywhere_else_are_refused(client, answers, path, headers):
    refused = client.post(path, json={"person": 0, "answer": "m"}, headers=headers, query_string={"token": KEY})
    assert refused.status_code == 403
    assert answers.answers == [None, None] and not answers.path.exists()


def test_a_referer_will_do_where_a_browser_sends_no_origin(client):
    headers = {**WITH_KEY, "Referer": f"http://localhost:{PORT}/?token={KEY}"}
    assert client.post("/answer", json={"person": 0, "answer": "m"}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("body", "pieces"),
    [
        ({"person": 2, "answer": "m"}, ("person", "2")),
        ({"person": -1, "answer": "m"}, ("person", "-1")),
        ({"person": True, "answer": "m"}, ("person", "True")),
        ({"person": "0", "answer": "m"}, ("person", "'0'")),
        ({"person": 0, "answer": "x"}, ("answer", "'x'", "m, f, u")),
        ({"person": 0, "answer": None}, ("answer", "None")),
        ([0, "m"], ("person", "None")),
    ],
)
def test_odd_answers_are_explained(client, answers, body, pieces):
    refused = client.post("/answer", json=body, headers=FROM_PAGE)
    assert refused.status_code == 400
    assert_names(refused.json["error"], *pieces)
    assert answers.answers == [None, None]


def test_a_form_and_a_flood_are_no_answers(client):
    assert client.post("/answer", data={"person": 0}, headers=FROM_PAGE).status_code == 415
    flood = {"person": 0, "answer": "m" * 2000}
    assert client.post("/answer", json=flood, headers=FROM_PAGE).status_code == 413


def test_what_cannot_be_saved_is_told_on_the_page(client, answers):
    answers.path.write_text("Category,ID,Gender\n")
    failed = client.post("/answer", json={"person": 0, "answer": "m"}, headers=FROM_PAGE)
    assert failed.status_code == 500 and "gender.csv" in failed.json["error"]
    assert client.get("/people", headers=WITH_KEY).json["answers"] == [None, None]


def test_the_server_listens_on_this_machine_only_and_two_pages_have_two_tokens(answers):
    page, other = (Page(answers, "prcc", answers.path.parent) for _ in range(2))
    assert page.port != other.port and page.token != other.token and len(page.token) >= 20
    with pytest.raises(SettingsError) as raised:
        Page(answers, "prcc", answers.path.parent, port=page.port)
    assert_names(raised.value, page.port, "--port 0")
    thread = threading.Thread(target=page.serve)
    thread.start()
    try:
        assert "prcc: gender" in urllib.request.urlopen(page.address, timeout=10).read().decode()
        address = f"http://127.0.0.1:{page.port}"
        asked = urllib.request.Request(
            f"{address}/answer",
            json.dumps({"person": 0, "answer": "m"}).encode(),
            {"Content-Type": "application/json", "X-RLQ-Token": page.token, "Origin": address},
        )
        assert json.load(urllib.request.urlopen(asked, timeout=10)) == {"answers": ["m", None]}
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address, timeout=10)
        addresses = Path("/proc/net/tcp").read_text() if Path("/proc/net/tcp").exists() else ""
        listening = [line.split()[1] for line in addresses.splitlines() if f":{page.port:04X} 00000000:0000" in line]
        assert listening in ([], [f"0100007F:{page.port:04X}"])
    finally:
        page.stop()
        thread.join(10)
    assert not thread.is_alive()
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", page.port), timeout=5):
        pass


def exchanged(path, target):
    path.unlink()
    path.symlink_to(target)


def test_links_that_lead_out_of_the_set_are_not_followed(client, answers, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    secret = elsewhere / "secret.png"
    Image.fromarray(np.zeros((8, 4, 3), np.uint8)).save(secret)
    exchanged(answers.people[0].pictures[0], secret)
    refused = client.get("/pictures/0/0", headers=WITH_KEY)
    assert refused.status_code == 404
    assert_names(refused.json["error"], "001_0.png", "link")
    exchanged(answers.people[0].pictures[1], answers.people[1].pictures[0].name)  # within the set
    assert client.get("/pictures/0/1", headers=WITH_KEY).data == answers.people[1].pictures[0].read_bytes()


@pytest.mark.parametrize(
    "content", [b"root:x:0:0", b"", b"-----BEGIN OPENSSH PRIVATE KEY-----", b"<script>alert(1)</script>"]
)
def test_only_pictures_are_served(client, answers, content):
    answers.people[0].pictures[0].write_bytes(content)
    refused = client.get("/pictures/0/0", headers=WITH_KEY)
    assert refused.status_code == 404 and refused.mimetype == "application/json"
    assert content.decode() not in refused.get_data(as_text=True) or not content


def test_devices_are_not_read(client, answers):
    exchanged(answers.people[0].pictures[0], "/dev/zero")
    assert client.get("/pictures/0/0", headers=WITH_KEY).status_code == 404


def test_names_with_signs_of_html_stay_words(tmp_path):
    hostile = "<script>alert(1)</script>\"'&"
    app = make_app(AnswerFile(tmp_path / "gender.csv", []), hostile, tmp_path, port=PORT, token=KEY)
    app.test_client_class = Browser
    shown = app.test_client().get("/", query_string={"token": KEY}).get_data(as_text=True)
    assert "<script>alert" not in shown and "&lt;script&gt;alert(1)&lt;/script&gt;" in shown


def test_words_of_people_reach_the_page_as_text_alone():
    page = resources.files("rlq.labels.annotate").joinpath("page.html").read_text(encoding="utf-8")
    assert not {
        word for word in ("innerHTML", "outerHTML", "document.write", "insertAdjacentHTML", "eval(") if word in page
    }
