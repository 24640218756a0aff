"""What `make audit` says of each answer of pip-audit, which a stand-in gives here."""

import json
import sys

import audit
import pytest

GOOD = {"name": "numpy", "version": "2.4.0", "vulns": []}
BAD = {"name": "pillow", "version": "9.0.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["9.0.1"], "aliases": []}]}
HOPELESS = {"name": "mlflow", "version": "3.0.0", "vulns": [{"id": "GHSA-2", "fix_versions": [], "aliases": []}]}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.15+cpu)"}
OURS = {"name": "rlq", "skip_reason": "distribution marked as editable"}


@pytest.fixture
def answers(tmp_path):
    """Make a stand-in for pip-audit that prints, complains and ends as asked; gives the command that starts it."""

    def make(out="", complaint="", status=0, seconds=0):
        path = tmp_path / "pip_audit.py"
        path.write_text(
            f"import sys, time\nassert '--skip-editable' in sys.argv and '--format=json' in sys.argv\n"
            f"time.sleep({seconds})\nprint({out!r})\nprint({complaint!r}, file=sys.stderr)\nsys.exit({status})\n"
        )
        return [sys.executable, "-I", "-S", str(path)]  # without site-packages, as it starts sooner

    return make


def of(*packages):
    return json.dumps({"dependencies": packages, "fixes": []})


def test_packages_without_known_vulnerabilities_pass(answers, capsys):
    assert audit.main(answers(of(GOOD, OURS), "No known vulnerabilities found")) == 0
    assert capsys.readouterr().out == "audited 1 of 1 packages: no known vulnerabilities\n"


def test_known_vulnerabilities_are_listed_and_fail(answers, capsys):
    assert audit.main(answers(of(GOOD, BAD, HOPELESS), "Found 2 known vulnerabilities", status=1)) == 1
    assert capsys.readouterr().out.splitlines() == [
        "pillow 9.0.0: PYSEC-1, mended in 9.0.1",
        "mlflow 3.0.0: GHSA-2, mended in no version yet",
        "audited 3 of 3 packages: 2 known vulnerabilities",
    ]


def test_a_database_that_cannot_be_reached_is_told_and_never_called_audited(answers, capsys):
    trace = "Traceback (most recent call last):\n  ...\nrequests.exceptions.ConnectionError: Max retries exceeded"
    assert audit.main(answers(complaint=trace, status=1)) == 0
    told = capsys.readouterr().out
    assert told == (
        "not audited: pip-audit ended with status 1: requests.exceptions.ConnectionError: Max retries exceeded\n"
    )


def test_an_index_that_knows_no_package_is_no_audit_though_pip_audit_finds_nothing(answers, capsys):
    assert audit.main(answers(of(UNKNOWN, OURS), "No known vulnerabilities found")) == 0
    told = capsys.readouterr().out
    assert told.startswith("not audited: none of 1 packages could be looked up (Dependency not found")


def test_packages_that_could_not_be_looked_up_are_named_beside_the_verdict(answers, capsys):
    assert audit.main(answers(of(GOOD, UNKNOWN))) == 0
    assert capsys.readouterr().out == "audited 1 of 2 packages: no known vulnerabilities; not looked up: torch\n"
    assert audit.main(answers(of(BAD, UNKNOWN), status=1)) == 1


@pytest.mark.parametrize("out", ["", "[]", "{}", "null", "<html>"])
def test_an_answer_of_another_form_is_no_audit(answers, capsys, out):
    assert audit.main(answers(out)) == 0
    assert capsys.readouterr().out == "not audited: pip-audit ended with status 0: without a word\n"


def test_no_answer_in_time_is_no_audit(answers, capsys):
    assert audit.main(answers(of(GOOD), seconds=30), patience=0.2) == 0
    assert capsys.readouterr().out == "not audited: no answer within 0.2 seconds\n"


def test_a_missing_pip_audit_is_no_audit(tmp_path, capsys):
    assert audit.main([str(tmp_path / "pip-audit")]) == 0
    assert capsys.readouterr().out == f"not audited: there is no {tmp_path / 'pip-audit'}\n"
