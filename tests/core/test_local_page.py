"""The guard of local pages, by itself and in a small Flask app."""

import threading
import urllib.error
import urllib.request

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from rlq.core.errors import DataError, SettingsError
from rlq.core.local_page import (
    HEADERS,
    LARGEST_REQUEST,
    Guard,
    LocalPage,
    file_response,
    guarded_app,
    html_response,
    is_foreign_link,
    listening_socket,
)

GUARD = Guard(8123, "k-1_3")
ORIGIN = "http://127.0.0.1:8123"
MEDIA_TYPES = {".txt": "text/plain"}


def refusal(method="GET", host="127.0.0.1:8123", token=GUARD.token, source=ORIGIN):
    return GUARD.refusal(method, host, token=token, source=source)


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost:8123"])
@pytest.mark.parametrize("source", [ORIGIN, f"{ORIGIN}/?token=k-1_3", "http://localhost:8123"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
def test_a_request_of_the_page_itself_is_answered(method, host, source):
    assert refusal(method, host, source=source) is None


@pytest.mark.parametrize("host", ["", "127.0.0.1", "127.0.0.1:1", "example.org", "example.org:8123", "0.0.0.0:8123"])
def test_another_host_is_refused(host):
    assert "http://127.0.0.1:8123 only" in refusal(host=host)


@pytest.mark.parametrize("token", ["", "k-1_4", "k-1_33", "K-1_3", "\u00fc"])
def test_another_token_is_refused_and_the_right_one_not_disclosed(token):
    reason = refusal(token=token)
    assert "token" in reason and GUARD.token not in reason


@pytest.mark.parametrize(
    "source", ["", "null", "http://example.org", f"{ORIGIN}.example.org", f"http://example.org/{ORIGIN}/"]
)
def test_changes_from_another_page_are_refused_but_reading_is_not(source):
    assert "page itself" in refusal("POST", source=source)
    assert refusal("GET", source=source) is None


def small_app(guard: Guard, folder) -> Flask:
    app = guarded_app(__name__, guard)
    app.add_url_rule("/", "show", lambda: html_response("<p>{{ word }}</p><i>{{ nonce }}</i>", word="<b>"))
    app.add_url_rule("/file/<name>", "file", lambda name: file_response(folder / name, folder, MEDIA_TYPES, refuse_odd))
    app.add_url_rule("/change", "change", change, methods=["POST"])
    app.add_url_rule("/fail", "fail", fail)
    return app


def refuse_odd(content: bytes) -> str | None:
    return "is odd" if content.startswith(b"odd") else None


def change():
    request.get_data()
    return "changed"


def fail():
    raise DataError("answers.csv cannot be written")


class Browser(FlaskClient):
    def open(self, *args, **kwargs):
        return super().open(*args, base_url=ORIGIN, **kwargs)


@pytest.fixture
def client(tmp_path):
    app = small_app(GUARD, tmp_path)
    app.test_client_class = Browser
    return app.test_client()


WITH_TOKEN = {"X-RLQ-Token": GUARD.token}
FROM_PAGE = {**WITH_TOKEN, "Origin": ORIGIN}


def test_the_token_in_the_address_opens_the_page_and_changes_nothing(client):
    assert client.get("/", query_string={"token": GUARD.token}).status_code == 200
    assert client.post("/change", query_string={"token": GUARD.token}, headers={"Origin": ORIGIN}).status_code == 403
    assert client.post("/change", headers=FROM_PAGE).data == b"changed"
    assert client.post("/change", headers={**WITH_TOKEN, "Referer": f"{ORIGIN}/"}).data == b"changed"
    assert client.post("/change", headers={**WITH_TOKEN, "Origin": "http://example.org"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/file/a.txt", "/nothing"])
def test_every_answer_has_the_headers_that_keep_others_out(client, path):
    for headers in (WITH_TOKEN, {}):
        answer = client.get(path, headers=headers)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert answer.status_code == 403


def test_a_page_runs_its_own_scripts_only_and_values_stay_text(client):
    first, second = (client.get("/", headers=WITH_TOKEN) for _ in range(2))
    policy = first.headers["Content-Security-Policy"]
    nonce = policy.split("script-src 'nonce-")[1].split("'")[0]
    assert "default-src 'none'" in policy and first.get_data(as_text=True) == f"<p>&lt;b&gt;</p><i>{nonce}</i>"
    assert second.headers["Content-Security-Policy"] != policy


def test_large_requests_and_errors_are_answered_in_json(client):
    large = client.post("/change", data=b"x" * (LARGEST_REQUEST + 1), headers=FROM_PAGE)
    assert large.status_code == 413 and large.json["error"]
    assert client.get("/nothing", headers=WITH_TOKEN).json["error"]
    failed = client.get("/fail", headers=WITH_TOKEN)
    assert failed.status_code == 500 and "answers.csv" in failed.json["error"]


def test_files_are_served_by_type_and_with_the_reason_where_not(client, tmp_path):
    (tmp_path / "a.txt").write_text("plain")
    (tmp_path / "b.bin").write_text("plain")
    (tmp_path / "odd.txt").write_text("odd content")
    assert client.get("/file/a.txt", headers=WITH_TOKEN).mimetype == "text/plain"
    assert client.get("/file/b.bin", headers=WITH_TOKEN).mimetype == "application/octet-stream"
    for name, reason in (("odd.txt", "is odd"), ("missing.txt", "No such file")):
        refused = client.get(f"/file/{name}", headers=WITH_TOKEN)
        assert refused.status_code == 404 and name in refused.json["error"] and reason in refused.json["error"]


def test_a_file_that_is_a_link_out_of_the_folder_is_not_served(client, tmp_path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "note.txt").write_text("plain")
    (tmp_path / "inside.txt").write_text("inside")
    (tmp_path / "link.txt").symlink_to(outside / "note.txt")
    (tmp_path / "near.txt").symlink_to("inside.txt")
    assert client.get("/file/link.txt", headers=WITH_TOKEN).status_code == 404
    assert client.get("/file/near.txt", headers=WITH_TOKEN).data == b"inside"
    (tmp_path / "folder").symlink_to(outside)  # a folder may be a link, the files in it are none
    assert is_foreign_link(tmp_path / "link.txt", tmp_path)
    assert not is_foreign_link(tmp_path / "folder" / "note.txt", tmp_path)


def test_a_page_is_served_on_the_loopback_interface_until_it_is_stopped(tmp_path):
    page = LocalPage(lambda guard: small_app(guard, tmp_path))
    assert page.address == f"http://127.0.0.1:{page.port}/?token={page.token}" and len(page.token) >= 20
    thread = threading.Thread(target=page.serve)
    thread.start()
    try:
        assert urllib.request.urlopen(page.address, timeout=10).status == 200
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(page.address.partition("?")[0], timeout=10)
    finally:
        page.stop()
        thread.join(10)
    assert not thread.is_alive()


def test_a_port_in_use_is_named():
    with listening_socket(0) as listener:
        address, port = listener.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(SettingsError, match=f"{port}.*--port"):
            listening_socket(port)
