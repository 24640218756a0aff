"""Look every installed package up in the database of known vulnerabilities: python tests/audit.py

Status 1 with a list when there are any. Where the database cannot be reached, that is said in one line and the status
is 0, so that a machine without a way out can go on; it never says "audited" then. pip-audit itself says "No known
vulnerabilities found" when it could look up nothing at all, which is why its word alone is not taken.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

PIP_AUDIT = (sys.executable, "-m", "pip_audit")
OPTIONS = ("--skip-editable", "--progress-spinner=off", "--format=json", "--desc=off")
PATIENCE = 300.0  # seconds for all packages together
EDITABLE = "distribution marked as editable"  # why pip-audit skips our own package
SHOWN = 5  # packages that could not be looked up


def main(command: Sequence[str] = PIP_AUDIT, patience: float = PATIENCE) -> int:
    """Run pip-audit, print the verdict, and return the exit status."""
    try:
        done = subprocess.run([*command, *OPTIONS], capture_output=True, text=True, timeout=patience, check=False)
    except FileNotFoundError:
        return _not_audited(f"there is no {command[0]}")
    except subprocess.TimeoutExpired:
        return _not_audited(f"no answer within {patience:g} seconds")
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError, TypeError):
        said = done.stderr.strip().splitlines() or ["without a word"]
        return _not_audited(f"pip-audit ended with status {done.returncode}: {said[-1][:300]}")
    return _judge([one for one in packages if one.get("skip_reason") != EDITABLE])


def _judge(packages: Sequence[dict[str, Any]]) -> int:
    skipped = [one for one in packages if "skip_reason" in one]
    seen = [one for one in packages if "skip_reason" not in one]
    if not seen:
        why = skipped[0]["skip_reason"] if skipped else "pip-audit found none"
        return _not_audited(f"none of {len(packages)} packages could be looked up ({why})")
    found = [_told(one, known) for one in seen for known in one["vulns"]]
    for line in found:
        print(line)
    counted = f"audited {len(seen)} of {len(packages)} packages: {len(found) or 'no'} known vulnerabilities"
    if skipped:
        more = ", ..." if len(skipped) > SHOWN else ""
        counted += f"; not looked up: {', '.join(one['name'] for one in skipped[:SHOWN])}{more}"
    print(counted)
    return 1 if found else 0


def _told(package: dict[str, Any], known: dict[str, Any]) -> str:
    mended = ", ".join(known["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {known['id']}, mended in {mended}"


def _not_audited(reason: str) -> int:
    print(f"not audited: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
