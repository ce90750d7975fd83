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
