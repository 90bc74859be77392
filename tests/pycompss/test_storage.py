"""Persistent objects on a real Redis: the interface by itself, and in programs on the engine."""

from __future__ import annotations

import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from pycompss_dask import launch, storage
from redis_storage import api
from redis_storage.storage_object import StorageObject, objects
from redis_storage.store import INLINE, StorageException, Store, Value
from support import ENVIRONMENT, runcompss
from tools import eventually, free_port

PASSWORD = "no-default"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration file that names a server, which asks for a password."""
    if not (program := shutil.which("redis-server")):
        pytest.skip("needs redis-server: apt-get install redis-server")
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    options = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        str(folder),
        "--requirepass",
        PASSWORD,
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen([program, *options], stdout=log) as process:
        client = redis.Redis(port=port, password=PASSWORD)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        eventually(answers, 30)
        (folder / "password").write_text(f"{PASSWORD}\n")
        configuration = folder / "storage.conf"
        configuration.write_text(
            f"# The tests' own.\nSTORAGE_URL=redis://127.0.0.1:{port}/0\nSTORAGE_PASSWORD_FILE={folder}/password\n"
        )
        yield configuration
        process.terminate()


@pytest.fixture
def store(server: Path) -> Iterator[Store]:
    """The interface, started, on an empty server."""
    api.init(config_file_path=str(server))
    store = objects.started()
    store.server.flushall()
    objects.here.clear()
    yield store
    api.finish()


class Box(StorageObject):
    def __init__(self, content: Any = None) -> None:
        self.content = content


class Plain(StorageObject):
    """Without a constructor of its own, and with a state of its own."""

    kept: int

    def __getstate__(self) -> Any:
        return (self.kept,)

    def __setstate__(self, state: Any) -> None:
        (self.kept,) = state


def again(box: StorageObject) -> Any:
    """The object as another process reads it."""
    identity = box.get_id()
    assert identity is not None
    objects.here.clear()
    return api.getByID(identity)


@pytest.mark.parametrize(
    "content",
    [None, 1, "text", [1, [2]], {"a": {1}}, np.arange(10), np.zeros(INLINE), [np.ones(INLINE), b"x" * INLINE]],
)
def test_an_object_is_read_as_it_was_written(store: Store, content: Any) -> None:
    box = Box(content)
    box.make_persistent()
    read = again(box)
    assert read is not box
    assert type(read) is Box
    np.testing.assert_equal(read.content, content)


def test_what_is_read_can_be_changed(store: Store) -> None:
    box = Box([np.zeros(INLINE), []])
    box.make_persistent()
    read = again(box)
    read.content[0][3] = 5
    read.content[1].append(7)
    read.write_changes()
    last = again(box)
    assert last.content[0][3] == 5
    assert last.content[1] == [7]


def test_an_object_is_found_by_its_alias_until_it_is_deleted(store: Store) -> None:
    box = Box(3)
    assert box.getID() is None
    box.makePersistent("three")
    assert Box.getByAlias("three") is box
    with pytest.raises(StorageException, match="alias 'three' already"):
        Box(4).make_persistent("three")
    with pytest.raises(StorageException, match="is a Box, not a Plain"):
        Plain.get_by_alias("three")
    box.deletePersistent()
    assert box.get_id() is None
    assert box.content == 3
    with pytest.raises(StorageException, match="no object with the alias 'three'"):
        Box.get_by_alias("three")
    assert store.server.keys() == []


def test_one_that_found_it_by_its_alias_deletes_both(store: Store) -> None:
    Box(np.zeros(INLINE)).make_persistent("large")
    objects.here.clear()
    Box.get_by_alias("large").delete_persistent()
    assert store.server.keys() == []


def test_a_state_of_its_own_is_kept(store: Store) -> None:
    plain = Plain()
    plain.kept = 8
    plain.make_persistent()
    assert again(plain).kept == 8


def test_inside_of_another_object_it_is_the_same_object(store: Store) -> None:
    inner = Box(1)
    inner.make_persistent()
    outer = Box([inner, {"inner": inner}])
    outer.make_persistent()
    read = again(outer)
    assert read.content[0] is read.content[1]["inner"]
    assert read.content[0].get_id() == inner.get_id()
    assert read.content[0] is not inner


def test_its_pickle_is_its_identity(store: Store) -> None:
    box = Box(np.zeros(INLINE))
    box.make_persistent()
    text = pickle.dumps(box)
    assert len(text) < 200
    assert pickle.loads(text) is box


def test_what_is_not_changed_is_not_written(store: Store) -> None:
    box = Box({"a": [1, "two", {3.0}], "b": np.arange(3)})
    box.make_persistent()
    read = again(box)
    read.write_changes()
    pickle.dumps(read)
    assert store.read(str(box.get_id()))[0] == 1


def test_two_that_change_one_version_do_not_overwrite_each_other(store: Store) -> None:
    first = Box([1])
    first.make_persistent()
    second = again(first)
    first.content.append(2)
    first.write_changes()
    second.content.append(3)
    with pytest.raises(StorageException, match=r"it has version 2, and version 1 was changed here.*INOUT"):
        second.write_changes()
    assert again(first).content == [1, 2]


def test_one_that_is_deleted_meanwhile_does_not_come_back(store: Store) -> None:
    first = Box(np.zeros(INLINE))
    first.make_persistent()
    second = again(first)
    first.delete_persistent()
    second.content[0] = 1
    with pytest.raises(StorageException, match="is deleted"):
        second.write_changes()
    assert store.server.keys() == []


def test_a_large_value_leaves_no_blocks_of_versions_before(store: Store) -> None:
    box = Box(np.zeros(INLINE))
    box.make_persistent()
    for number in range(3):
        box.content[number] = 1
        box.write_changes()
    assert len(store.server.keys()) == 2
    assert {store.server.ttl(key) for key in store.server.scan_iter()} == {-1}
    box.content = "small"
    box.write_changes()
    assert len(store.server.keys()) == 1
    assert again(box).content == "small"


def test_a_writer_that_is_killed_leaves_the_version_before(store: Store, server: Path) -> None:
    """Its blocks are there, and the object does not know of them; they go by themselves."""
    box = Box(np.zeros(INLINE))
    box.make_persistent()
    program = textwrap.dedent("""
        import os, signal, sys
        import numpy as np
        from redis_storage.store import Store, Value
        store = Store.configured(sys.argv[1])
        store._write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        store.write(sys.argv[2], 1, Value.of(np.ones(1 << 20)))
    """)
    command = [sys.executable, "-c", program, str(server), str(box.get_id())]
    assert subprocess.run(command, env=ENVIRONMENT, check=False).returncode == -signal.SIGKILL
    read = again(box)
    assert read.content.sum() == 0
    (abandoned,) = [key for key in store.server.scan_iter() if store.server.ttl(key) > 0]
    read.content[0] = 1
    read.write_changes()
    assert again(box).content.sum() == 1
    assert store.server.exists(abandoned)


def test_a_thousand_objects(store: Store) -> None:
    for number in range(1000):
        Box(number).make_persistent(f"box {number}")
    objects.here.clear()
    assert sum(Box.get_by_alias(f"box {number}").content for number in range(1000)) == sum(range(1000))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.integers()),
            st.tuples(st.just("set"), st.text(max_size=5)),
            st.tuples(st.just("array"), st.integers(0, 9)),
            st.tuples(st.just("nest"), st.integers()),
            st.tuples(st.just("other process"), st.none()),
        )
    )
)
def test_a_random_program_gives_what_plain_objects_give(server: Path, steps: list[tuple[str, Any]]) -> None:
    api.init(config_file_path=str(server))
    box, model = Box([]), []
    box.make_persistent()
    array = np.zeros(INLINE)
    box.content.append(array)
    model.append(array.copy())
    for step, value in steps:
        for content in (box.content, model):
            if step == "append":
                content.append(value)
            elif step == "set":
                content.append({"key": [value]})
            elif step == "array":
                content[0][value] += 1
            elif step == "nest":
                content.append([content[-1], value])
        if step == "other process":
            box.write_changes()
            box = again(box)
    box.write_changes()
    np.testing.assert_equal(again(box).content, model)
    api.finish()


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("server", "redis://server"),
        ("server:7000\n", "redis://server:7000"),
        ("# comment\n\nrediss://user@server:7000/2", "rediss://user@server:7000/2"),
        ("STORAGE_URL = x", None),
    ],
)
def test_the_configuration_file(tmp_path: Path, text: str, url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(redis.Redis, "from_url", lambda url, **_: seen.append(url) or redis.Redis())
    monkeypatch.setattr(redis.Redis, "ping", lambda _: True)
    (tmp_path / "conf").write_text(text)
    Store.configured(str(tmp_path / "conf"))
    assert seen == [url or "x"]


def test_the_environment_comes_before_the_file(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_PASSWORD_FILE", "")
    monkeypatch.setenv("STORAGE_PASSWORD", "wrong")
    port = server.read_text().partition("127.0.0.1:")[2].partition("/")[0]
    without = server.parent / "without.conf"
    without.write_text(f"127.0.0.1:{port}")
    with pytest.raises(StorageException, match=f"127.0.0.1:{port}: .*invalid username-password") as refused:
        Store.configured(str(without))
    assert "wrong" not in str(refused.value)


def test_an_object_without_a_storage_is_an_object(tmp_path: Path) -> None:
    box = Box(1)
    assert pickle.loads(pickle.dumps(box)).content == 1
    with pytest.raises(StorageException, match="--storage_impl=redis"):
        box.make_persistent()


def test_digests_tell_values_apart() -> None:
    values = [Value.of(value).digest for value in (1, 2, "1", [1], np.zeros(INLINE), np.ones(INLINE))]
    assert len(set(values)) == len(values)
    assert Value.of(np.zeros(INLINE)).digest == values[4]


# Programs

CLASSES = """
from storage.api import StorageObject
from storage.storage_object import StorageObject as same
from pycompss.api.task import task
from pycompss.api.parameter import *
from pycompss.api.api import compss_barrier, compss_wait_on

assert same is StorageObject


class Words(StorageObject):
    def __init__(self, text):
        super().__init__()
        self.text = text
        self.seen = []


class Result(StorageObject):
    def __init__(self):
        super().__init__()
        self.counts = {}


@task(returns=dict)
def count(words):
    counts = {}
    for word in words.text.split():
        counts[word] = counts.get(word, 0) + 1
    return counts


@task(result=INOUT, counts=COLLECTION_IN)
def merge(result, counts):
    for each in counts:
        for word, number in each.items():
            result.counts[word] = result.counts.get(word, 0) + number


@task(words=INOUT)
def note(words, number):
    words.seen.append(number)


@task()
def note_silently(words):
    words.seen.append("silently")


@task(returns=1)
def longest(words):
    from collections import Counter
    best = Words(max(words.text.split(), key=len))
    best.make_persistent()
    return best
"""

WRITES = f"""{CLASSES}
if __name__ == "__main__":
    parts = [Words("the cat and the dog"), Words("a dog"), Words("the end")]
    for number, part in enumerate(parts):
        part.make_persistent(f"part {{number}}")
    result = Result()
    result.make_persistent("result")
    merge(result, [count(part) for part in parts])
    for number in range(4):
        note(parts[0], number)
    note_silently(parts[1])
    best = compss_wait_on(longest(parts[2]))
    print("best", best.text, best.getID() is not None)
    result = compss_wait_on(result)
    print("counts", sorted(result.counts.items()))
    parts[0] = compss_wait_on(parts[0])
    print("noted", parts[0].seen)
    # The main program's own change goes with the next call.
    parts[2].text = "one more end"
    print("changed", compss_wait_on(count(parts[2])))
"""

READS = f"""{CLASSES}
if __name__ == "__main__":
    result = Result.get_by_alias("result")
    print("again", sorted(result.counts.items()))
    print("noted", Words.get_by_alias("part 0").seen, Words.get_by_alias("part 1").seen)
    print("text", Words.get_by_alias("part 2").text)
"""

COUNTS = "[('a', 1), ('and', 1), ('cat', 1), ('dog', 2), ('end', 1), ('the', 3)]"


def run(server: Path, folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = folder / "words.py"
    path.write_text(script)
    options = ("--storage_impl=redis", f"--storage_conf={server}", f"--log_dir={folder}", "--computing_units=2")
    return runcompss(*options, *arguments, str(path))


def test_word_count_over_persistent_objects_and_its_result_in_a_second_run(
    store: Store, server: Path, tmp_path: Path
) -> None:
    done = run(server, tmp_path, WRITES)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "best the True",
        f"counts {COUNTS}",
        "noted [0, 1, 2, 3]",
        "changed {'one': 1, 'more': 1, 'end': 1}",
    ]
    done = run(server, tmp_path, READS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"again {COUNTS}",
        "noted [0, 1, 2, 3] ['silently']",
        "text one more end",
    ]


def test_a_task_that_fails_and_runs_again_changes_the_object_once(store: Store, server: Path, tmp_path: Path) -> None:
    script = f"""{CLASSES}
import os

@task(words=INOUT)
def fail_first(words, marker):
    words.seen.append("once")
    if not os.path.exists(marker):
        open(marker, "w").close()
        raise ValueError("the first attempt")

if __name__ == "__main__":
    words = Words("text")
    words.make_persistent()
    fail_first(words, {str(tmp_path / "marker")!r})
    print(compss_wait_on(words).seen)
"""
    done = run(server, tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['once']"]


def test_of_two_tasks_that_change_one_version_the_second_runs_again(store: Store, server: Path, tmp_path: Path) -> None:
    """Each waits until the other one has the object, so that both change the same version."""
    script = f"""{CLASSES}
import os
import time

@task()
def append(words, number, other):
    words.seen.append(number)
    open(os.path.join({str(tmp_path)!r}, f"has {{number}}"), "w").close()
    deadline = time.time() + 30
    while not os.path.exists(os.path.join({str(tmp_path)!r}, f"has {{other}}")) and time.time() < deadline:
        time.sleep(0.01)

if __name__ == "__main__":
    words = Words("text")
    words.make_persistent("shared")
    append(words, 1, 2)
    append(words, 2, 1)
    compss_barrier()
"""
    done = run(server, tmp_path, script)
    assert done.returncode == 0, done.stderr
    words = store.read(store.find("shared"))
    assert words[0] == 3
    ((log,),) = [list(tmp_path.glob(".COMPSs/*/runtime.log"))]
    assert log.read_text().count("has been changed by somebody else: it has version 2, and version 1 was changed") == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--storage_impl=hecuba"], "--storage_impl=hecuba: it needs Cassandra"),
        (["--storage_impl=redid"], "--storage_impl=redid: expected one of dataclay, redis"),
        (["--storage_impl=dataclay"], "--storage_impl=dataclay: its package storage is not installed"),
        (["--storage_conf=x"], "--storage_conf without --storage_impl"),
        (["--storage_impl=redis", "--storage_conf=/nowhere"], "No such file or directory: '/nowhere'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(tmp_path: Path, options: list[str], sentence: str) -> None:
    script = tmp_path / "script.py"
    script.write_text("print('ran')")
    done = runcompss(*options, f"--log_dir={tmp_path}", str(script))
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert not (tmp_path / ".COMPSs").exists()


def test_null_is_an_option_that_is_not_given() -> None:
    assert launch.storage_of("null", "null") is None
    assert launch.storage_of("redis", "null") == storage.Storage("redis", "")


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    script, port = tmp_path / "script.py", free_port()
    script.write_text("print('ran')")
    (tmp_path / "conf").write_text(f"redis://:secret@127.0.0.1:{port}")
    options = ("--storage_impl=redis", f"--storage_conf={tmp_path}/conf", f"--log_dir={tmp_path}")
    done = runcompss(*options, str(script))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"runcompss: --storage_impl=redis: the store 127.0.0.1:{port}: " in done.stderr
    assert "secret" not in done.stderr


def test_another_implementation_comes_by_its_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "my_storage"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "api.py").write_text(
        "started = []\n"
        "def init(config_file_path): started.append(open(config_file_path).read())\n"
        "def finish(): started.append('end')\n"
    )
    metadata = tmp_path / "my_storage-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-storage\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[pycompss.storage]\nmine = my_storage\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("storage", "storage.api", "storage.storage_object", "storage.store"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with storage.Storage("mine", "text").used(worker=False) as use:
        assert sys.modules["storage.api"].started == ["text"]
        with use.task([]):
            pass
    assert use.api.started == ["text", "end"]
