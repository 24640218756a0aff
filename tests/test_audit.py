"""What `make audit` says of each answer of pip-audit, which a stand-in gives here."""

import json
import re
import sys

import audit
import pytest
from naming import assert_names

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


def numbers(line):
    return [int(number) for number in re.findall(r"\d+", line)]


def test_packages_without_known_vulnerabilities_pass(answers, capsys):
    assert audit.main(answers(of(GOOD, OURS), "No known vulnerabilities found")) == 0
    (verdict,) = capsys.readouterr().out.splitlines()
    assert verdict.startswith("audited ") and numbers(verdict) == [1, 1]


def test_known_vulnerabilities_are_listed_and_fail(answers, capsys):
    assert audit.main(answers(of(GOOD, BAD, HOPELESS), "Found 2 known vulnerabilities", status=1)) == 1
    bad, hopeless, verdict = capsys.readouterr().out.splitlines()
    assert_names(bad, "pillow", "9.0.0", "PYSEC-1", "9.0.1")
    assert_names(hopeless, "mlflow", "3.0.0", "GHSA-2")
    assert verdict.startswith("audited ") and numbers(verdict) == [3, 3, 2]


def test_a_database_that_cannot_be_reached_is_told_and_never_called_audited(answers, capsys):
    trace = "Traceback (most recent call last):\n  ...\nrequests.exceptions.ConnectionError: Max retries exceeded"
    assert audit.main(answers(complaint=trace, status=1)) == 0
    told = capsys.readouterr().out
    assert told.startswith("not audited: ") and told.count("\n") == 1
    assert_names(told, 1, "requests.exceptions.ConnectionError: Max retries exceeded")


def test_an_index_that_knows_no_package_is_no_audit_though_pip_audit_finds_nothing(answers, capsys):
    assert audit.main(answers(of(UNKNOWN, OURS), "No known vulnerabilities found")) == 0
    told = capsys.readouterr().out
    assert told.startswith("not audited: ")
    assert_names(told, 1, UNKNOWN["skip_reason"])


def test_packages_that_could_not_be_looked_up_are_named_beside_the_verdict(answers, capsys):
    assert audit.main(answers(of(GOOD, UNKNOWN))) == 0
    (verdict,) = capsys.readouterr().out.splitlines()
    assert verdict.startswith("audited ") and numbers(verdict) == [1, 2]
    assert_names(verdict, "torch")
    assert audit.main(answers(of(BAD, UNKNOWN), status=1)) == 1


@pytest.mark.parametrize("out", ["", "[]", "{}", "null", "<html>"])
def test_an_answer_of_another_form_is_no_audit(answers, capsys, out):
    assert audit.main(answers(out)) == 0
    told = capsys.readouterr().out
    assert told.startswith("not audited: ") and told.count("\n") == 1
    assert_names(told, "pip-audit", 0)


def test_no_answer_in_time_is_no_audit(answers, capsys):
    assert audit.main(answers(of(GOOD), seconds=30), patience=0.2) == 0
    told = capsys.readouterr().out
    assert told.startswith("not audited: ")
    assert_names(told, 0.2)


def test_a_missing_pip_audit_is_no_audit(tmp_path, capsys):
    assert audit.main([str(tmp_path / "pip-audit")]) == 0
    told = capsys.readouterr().out
    assert told.startswith("not audited: ")
    assert_names(told, tmp_path / "pip-audit")
