#!/usr/bin/env bash
# Expected: several processes that work on one study in a SQLite file take every enqueued trial once, since Optuna locks
#   the row of a waiting trial (SELECT ... FOR UPDATE) before it sets it to running.
# What happens: SQLite has no row locks and SQLAlchemy leaves FOR UPDATE out of its statements; Python's driver begins a
#   transaction at the first write only, so two processes read the same waiting trial and both run it. More trials are
#   handed out than were enqueued.
# Versions: optuna 5.0.0, SQLAlchemy 2.0.44; file-based SQLite of the Python that runs this.
# Source: optuna/storages/_rdb/storage.py (set_trial_state_values, for_update=True); SQLAlchemy's dialect page on SQLite.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q optuna==5.0.0 sqlalchemy==2.0.44
cd "$folder"
cat > work.py <<'PY'
"""Take queued trials until none waits; print how many were taken."""
import sys

import optuna
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)
study = optuna.load_study(study_name="queue", storage="sqlite:///study.db")
taken = 0
while study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
    trial = study.ask()
    if "queued" not in trial.user_attrs:
        break  # the queue was empty: this one is new
    taken += 1
    try:
        study.tell(trial, 0.0)
    except (RuntimeError, ValueError):
        pass  # another process has told the result of the same trial
print(taken)
PY
"$folder/venv/bin/python" - <<'PY'
import sqlite3
import subprocess
import sys
from pathlib import Path

import optuna
import sqlalchemy

optuna.logging.set_verbosity(optuna.logging.ERROR)
print("optuna", optuna.__version__, "SQLAlchemy", sqlalchemy.__version__, "SQLite", sqlite3.sqlite_version)
enqueued = 60
for attempt in range(1, 6):
    Path("study.db").unlink(missing_ok=True)
    study = optuna.create_study(study_name="queue", storage="sqlite:///study.db")
    for _ in range(enqueued):
        study.enqueue_trial({}, user_attrs={"queued": True})
    workers = [subprocess.Popen([sys.executable, "work.py"], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    taken = [int(worker.communicate()[0] or 0) for worker in workers]
    print(f"attempt {attempt}: {enqueued} enqueued, taken by four processes: {taken} = {sum(taken)}")
    if sum(taken) > enqueued:
        sys.exit(0)
sys.exit(1)
PY
