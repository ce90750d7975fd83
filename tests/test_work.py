"""Long work in slices: what becomes of a job is no matter of those after it."""

import errno

import pytest


@pytest.fixture
def threads(engine):
    """What is to be done in threads, each with how its job goes on and how it is told of a failure."""
    given = []
    engine.in_background = lambda *calls: given.append(calls)
    engine.persistence.work.begin = lambda: None
    return given


def writing(done):
    """A job that writes in a thread."""
    yield lambda: None
    done.append("written")


def test_an_error_in_the_thread_of_a_job_that_was_stopped_is_not_the_next_one_s(engine, threads):
    work, done = engine.persistence.work, []
    work.start(writing(done))
    work.step()
    (_, _, failed) = threads.pop()
    work.stop()
    failed(OSError(errno.EBADF, "it was closed"))
    work.start(writing(done))
    work.step()
    (_, go_on, _) = threads.pop()
    go_on(None)
    work.step()
    assert done == ["written"] and not work.busy


def test_an_error_in_the_thread_of_a_job_is_its_own(engine, threads):
    def job():
        with pytest.raises(OSError, match="no space"):
            yield lambda: None
        done.append("met")

    work, done = engine.persistence.work, []
    work.start(job())
    work.step()
    (_, _, failed) = threads.pop()
    failed(OSError(errno.ENOSPC, "no space"))
    work.step()
    assert done == ["met"] and not work.busy


def until_it_renames(persistence, threads):
    """Go on with a save until a thread is to give its file the name; what that is to do, and how the save goes on."""
    while True:
        while persistence.work.step():
            pass
        (call, go_on, _) = threads.pop()
        if getattr(call, "func", None) == persistence.folder.rename:
            return call, go_on
        go_on(call())


def test_what_a_save_given_up_has_still_to_rename_is_not_the_next_one_s_file(engine, client, threads):
    persistence = engine.persistence
    client.play("SET k v")
    client.play("BGSAVE")
    rename, _ = until_it_renames(persistence, threads)
    persistence.dumps.stop()
    client.play("BGSAVE")
    again, go_on = until_it_renames(persistence, threads)
    with pytest.raises(OSError, match="No such file"):
        rename()  # its thread has come to it only now
    go_on(again())
    persistence.work.step()
    assert persistence.folder.names("") == ["dump.rdb"]
    assert b"rdb_last_bgsave_status:ok" in client.play("INFO persistence")
