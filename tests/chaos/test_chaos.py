"""The frame of the chaos runs tells a survived fault from a failed one; and the short form, as a whole."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from chaos import run
from chaos.comparing import same_files, scratch
from chaos.faults import Fault, Outcome, not_tried
from chaos.moments import go_on, halted, seen
from chaos.processes import Forked, kill_group, members
from chaos.scene import Scene
from chaos.settings import FILES
from naming import assert_names


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """What `prepare` makes, with nothing in it."""
    for name in ("data", "runs", "teacher"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return tmp_path


@pytest.fixture
def scene(base: Path) -> Scene:
    scene = Scene(base / "scene", 1, sys.executable, base)
    scene.furnish()
    return scene


def survive(scene: Scene) -> Outcome:
    return Outcome(2, "nothing", {"seed": scene.seed})


def lose(scene: Scene) -> Outcome:
    raise AssertionError(f"file is lost with seed {scene.seed}")


def lose_sometimes(scene: Scene) -> Outcome:
    return lose(scene) if scene.seed == 2 else survive(scene)


def be_broken(scene: Scene) -> Outcome:
    raise KeyError("a mistake of the fault itself")


def end_at_once(scene: Scene) -> Outcome:
    os._exit(3)


def hang(scene: Scene) -> Outcome:
    (scene.folder / "hangs").touch()
    time.sleep(60)
    return survive(scene)


def begin(scene: Scene, code: str, **options: Any) -> subprocess.Popen:
    """A Python of its own among the scene's processes."""
    file = scene.folder / f".output-{len(scene._processes)}"
    words = [sys.executable, "-c", code]
    with file.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, start_new_session=True, **options)
    scene._outputs[process.pid] = file
    scene._processes.append(process)
    return process


def test_a_fault_that_fails_is_told_with_its_reason_and_its_folder_is_kept(base):
    fine, failed = (run.inflict(Fault("one fault", "kill", act), 3, base) for act in (survive, lose))
    assert (fine.failure, fine.tried, fine.compared, fine.details) == ("", 2, "nothing", {"seed": 3})
    assert failed.failure == "file is lost with seed 3"
    assert failed.folder == str(base / "one-fault-3") and (base / "one-fault-3/data/file").read_text() == "data"
    assert_names(failed.line(), "FAILED", failed.failure, failed.folder)
    assert fine.line().endswith("ok")


def test_a_survived_faults_folder_is_removed(base):
    run.inflict(Fault("one fault", "kill", survive), 3, base)
    assert not (base / "one-fault-3").exists()


@pytest.mark.slow
def test_every_fault_happens_once_per_seed_and_one_failure_is_seen_in_the_table(base):
    faults = [Fault("a", "kill", survive), Fault("b", "race", lose_sometimes)]
    found = list(run.inflict_all(faults, [1, 2, 3], base, jobs=2))
    assert sorted((one.name, one.seed) for one in found) == [(n, s) for n in "ab" for s in (1, 2, 3)]
    assert [(one.name, one.seed) for one in found if one.failure] == [("b", 2)]
    lines = run.summary(found).splitlines()
    assert [cell.strip() for cell in lines[1].split("|")] == ["kill", "a", "6", "nothing", "survived"]
    *cells, outcome = (cell.strip() for cell in lines[2].split("|"))
    assert cells == ["race", "b", "4", "nothing"]
    assert_names(outcome, "FAILED", 2)
    assert counts(lines[4:]) == {"kill": [6, 3, 0, 0], "race": [4, 3, 0, 1], "all": [10, 6, 0, 1]}
    assert len(json.loads(json.dumps(run.report(found, 1.0)))["faults"]) == 6


def test_what_cannot_be_tried_here_is_no_success_and_no_failure(base):
    mounted = Fault("full", "starve", lambda scene: not_tried("nothing may be mounted here"))
    found = [run.inflict(fault, 1, base) for fault in (mounted, Fault("a", "kill", survive))]
    assert found[0].line().endswith("nothing may be mounted here") and not found[0].failure
    lines = run.summary(found).splitlines()
    *cells, outcome = (cell.strip() for cell in lines[1].split("|"))
    assert cells == ["starve", "full", "0", "-"] and outcome.endswith("nothing may be mounted here")
    assert counts(lines[-1:]) == {"all": [2, 1, 1, 0]}


def counts(lines: list[str]) -> dict[str, list[int]]:
    """The numbers of each line of the totals: faults, scenes, those not tried, those that failed."""
    return {line.split()[0]: [int(number) for number in re.findall(r"\d+", line)] for line in lines}


def test_a_fault_that_inflicts_nothing_has_failed(base):
    found = run.inflict(Fault("a", "kill", lambda scene: Outcome(0, "all is as it was")), 1, base)
    assert found.failure and "Traceback" not in found.failure and not found.tried


@pytest.mark.slow
@pytest.mark.parametrize("act", [be_broken, end_at_once])
def test_a_fault_that_is_broken_itself_has_failed(base, act):
    (found,) = run.inflict_all([Fault("a", "kill", act)], [1], base)
    assert found.failure and not found.tried


@pytest.mark.slow
def test_at_the_end_of_the_time_the_rest_has_failed(base):
    began = time.monotonic()
    found = list(run.inflict_all([Fault("a", "kill", hang), Fault("b", "kill", survive)], [1], base, limit=1.0))
    assert time.monotonic() - began < 20
    begun, not_begun = (one.failure for one in found)
    assert "1 s" in begun and "1 s" in not_begun and begun != not_begun


def test_faults_are_chosen_by_name_or_for_the_short_form():
    faults = [Fault("a", "kill", survive, short=True), Fault("b", "kill", survive)]
    assert [fault.name for fault in run.chosen(faults)] == ["a", "b"]
    assert [fault.name for fault in run.chosen(faults, short=True)] == ["a"]
    assert [fault.name for fault in run.chosen(faults, only=["b"])] == ["b"]
    with pytest.raises(SystemExit) as told:
        run.chosen(faults, only=["a", "c"])
    assert_names(told.value, " c", "a, b")


def test_no_two_faults_have_one_name_and_the_short_form_has_each_kind_that_kills():
    faults = run.catalogue()
    assert len({fault.name for fault in faults}) == len(faults)
    assert {fault.kind for fault in run.chosen(faults, short=True)} == {"kill", "starve", "corrupt", "race"}


def test_a_scene_has_copies_of_what_all_share(scene, base):
    assert set(FILES) <= {path.name for path in scene.folder.iterdir()}
    (scene.folder / "data/file").write_text("spoilt")
    assert (base / "data/file").read_text() == "data"


def test_a_process_is_killed_at_its_moment_with_all_that_it_started(scene):
    child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    process = begin(scene, f"{child}; open({str(scene.folder / 'now')!r}, 'w'); import time; time.sleep(60)")
    assert scene.kill_at(process, scene.exists("now"))
    assert process.returncode == -signal.SIGKILL
    scene.wait_for(lambda: not members(process), timeout=5)
    assert not scene.kill_at(begin(scene, "pass"), 30.0)  # it had ended by itself


@pytest.mark.slow
def test_children_of_a_process_that_is_killed_alone_are_seen(scene):
    child = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    process = begin(scene, f"{child}; open({str(scene.folder / 'now')!r}, 'w'); import time; time.sleep(60)")
    assert scene.kill_at(process, scene.exists("now"), group=False)
    assert len(members(process)) == 1
    kill_group(process)


@pytest.mark.slow
def test_a_process_that_hangs_is_killed_and_told_with_its_output(scene):
    process = begin(scene, "import time; print('busy', flush=True); time.sleep(60)")
    scene.wait_for(lambda: scene.output(process))
    with pytest.raises(AssertionError) as told:
        scene.finish(process, timeout=0.1)
    assert_names(told.value, "0 s", "busy")
    assert process.wait(5) == -signal.SIGKILL
    with pytest.raises(AssertionError, match="0 s"):
        scene.wait_for(lambda: False, begin(scene, "import time; time.sleep(60)"), timeout=0.1)
    scene.close()


@pytest.mark.slow
def test_a_command_that_is_forked_ends_as_one_that_is_started(scene):
    for plain in (False, True):
        assert "Usage: rlq train" in scene.run("train", "--help", plain=plain)
        assert "'no-such-command'" in scene.run("no-such-command", status=2, plain=plain)
    assert isinstance(scene._processes[0], Forked) and not isinstance(scene._processes[2], Forked)
    with pytest.raises(AssertionError) as told:
        scene.run("no-such-command")
    assert_names(told.value, 2, 0, "'no-such-command'")


def test_what_is_undisturbed_happens_once(scene):
    calls = []
    first = scene.undisturbed("quiet", lambda peace: calls.append(peace.folder))
    assert scene.undisturbed("quiet", lambda peace: calls.append(peace.folder)).folder == first.folder == calls[0]
    assert len(calls) == 1 and first.seconds >= 0


def test_folders_that_differ_in_a_byte_or_a_file_are_told(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("same")
    (tmp_path / "a/.hidden").touch()
    same_files(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b/file").write_text("other")
    for name in ("file", "more"):
        (tmp_path / "b" / name).touch()
        with pytest.raises(AssertionError) as told:
            same_files(tmp_path / "a", tmp_path / "b")
        assert_names(told.value, [name], tmp_path / "a", tmp_path / "b")


@pytest.mark.slow
def test_a_file_is_left_half_written_by_whoever_halts_in_it(scene):
    code = """if True:
        import os
        from pathlib import Path
        from chaos.moments import halt_in_file
        from rlq.core.files import written_whole
        halt_in_file("out/.????????.file", 0.25)()
        for name in ("other", "file"):
            with written_whole(Path("out", name)) as temporary:
                temporary.write_text("12345678")
    """
    process = begin(scene, code, cwd=scene.folder, env=os.environ | {"PYTHONPATH": run.TESTS})
    assert scene.kill_at(process, halted(scene, process))
    (half,) = (scene.folder / "out").glob(".*.file")
    assert half.read_text() == "12" and (scene.folder / "out/other").read_text() == "12345678"
    assert not (scene.folder / "out/file").exists() and scratch(scene.folder / "out") == [half.name]


@pytest.mark.slow
def test_pictures_are_counted_and_words_to_the_tracker_halted(scene):
    code = """if True:
        from pathlib import Path
        from chaos.moments import all_of, counted_pictures, halt_at_word
        from rlq.data import pictures
        from rlq.tracking.outbox import Delivery
        pictures.content_of = Delivery.send = lambda *_: print("done", flush=True)
        all_of(counted_pictures(), halt_at_word(2, once="now"))()
        for word in range(3):
            Delivery.send(None)
            Path("now").touch()
        pictures.content_of(Path("a"))
        pictures.content_of(Path("b"))
    """
    process = begin(scene, code, cwd=scene.folder, env=os.environ | {"PYTHONPATH": run.TESTS})
    assert scene.wait_for(halted(scene, process), process)
    assert scene.output(process) == 2 * "done\n" and not seen(scene, process, 1)()
    go_on(scene, process)
    assert scene.finish(process) == 0 and scene.output(process) == 5 * "done\n"
    assert seen(scene, process, 2)() and not seen(scene, process, 3)()


def test_temporary_files_are_told_from_others(tmp_path):
    for name in (".0123abcd.last.pt", "tracking.json.tmp", "last.pt", ".hidden.npz", "tracking.lock"):
        (tmp_path / name).touch()
    assert scratch(tmp_path) == [".0123abcd.last.pt", "tracking.json.tmp"]


@pytest.mark.slow
def test_the_short_form_is_survived(tmp_path):
    command = [sys.executable, run.__file__, "--short", "--seeds", "1", "--limit", "800"]
    command += ["--report", str(tmp_path / "chaos.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    report = json.loads((tmp_path / "chaos.json").read_text())
    assert sum(one["tried"] for one in report["faults"]) >= 10
