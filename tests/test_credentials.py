"""Passwords: hashes, and the process that checks them, also when it dies or gets too much."""

import contextlib
import sys
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from gateway import credentials
from gateway.credentials import PASSWORD_SIZE_MAX, PENDING_MAX, Checker, password_problem
from gateway.waiting import is_readable

pytestmark = pytest.mark.pure

WAIT_S = 60  # a busy machine takes its time
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
#: Reads a question and ends without an answer, as a crash would.
CRASHING = (sys.executable, "-c", "import sys; sys.stdin.buffer.readline(); sys.exit(3)")
#: Reads nothing, so that its pipe fills up.
DEAF = (sys.executable, "-c", "import sys, signal; signal.pause()")


@contextlib.contextmanager
def checker(command=()):
    made = Checker(command)
    try:
        yield made
    finally:
        made.close()


def answers(of, count):
    """The next answers, as a server's loop gets them: when readable, and at times anyway."""
    found, deadline = [], time.monotonic() + WAIT_S
    while len(found) < count:
        assert time.monotonic() < deadline, f"{found} of {count} answers"
        is_readable(of, 0.05)
        found += of.results()
    return found


def test_a_hash_is_argon2id_at_the_cost_we_say():
    encoded = credentials.hash_password("correct horse")
    found = extract_parameters(encoded)
    assert encoded.startswith("$argon2id$") and "horse" not in encoded
    assert (found.memory_cost, found.time_cost, found.parallelism) == (1 << 16, 3, 1)
    assert credentials.verify(encoded, "correct horse")
    assert not credentials.verify(encoded, "correct horse ")


@given(st.text(max_size=40))
def test_what_is_no_hash_fits_nothing(text):
    assert not credentials.verify(text, text)
    assert not credentials.verify("$argon2id$" + text, text)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("", "is empty"), ("x" * 257, "has 257 characters, the most are 256"),
        ("pass\x01word", "printable ASCII"), ("p\u00e4ss", "printable ASCII"), ("x y=z|", ""),
        ("x" * PASSWORD_SIZE_MAX, ""),
    ],
)  # fmt: skip
def test_passwords_that_fix_cannot_carry(password, words):
    found = password_problem(password)
    assert words in found and bool(words) == bool(found)


def test_questions_and_answers():
    good, other = CHEAP.hash("good"), CHEAP.hash("other")
    asked = {
        "right": (good, "good"), "wrong": (good, "Good"), "other": (other, "good"),
        "nobody": (None, "good"), "no hash": ("nonsense", "good"), "empty": (good, ""),
        "long": (good, "x" * 100_000), ("any", "key"): (other, "other"), "odd": (good, "\ud800\n"),
    }  # fmt: skip
    with checker() as asks:
        number = asks.fileno()
        assert asks.results() == []
        for key, (encoded, password) in asked.items():
            assert asks.ask(key, encoded, password)
        assert asks.pending == len(asked)
        found = answers(asks, len(asked))
        assert asks.pending == 0 and asks.fileno() == number
    assert [key for key, _ in found] == list(asked)
    assert {key for key, holds in found if holds} == {"right", ("any", "key")}


def test_asking_does_not_wait_even_for_a_child_that_does_not_read():
    """More than a pipe takes; then the queue is full, and nothing of it was waited for."""
    with checker(DEAF) as asks:
        long = "x" * PASSWORD_SIZE_MAX
        for number in range(PENDING_MAX):
            assert asks.ask(number, "h" * 3000, long)
        assert not asks.ask("one more", None, long)
        assert asks.results() == [] and asks.pending == PENDING_MAX


def test_a_full_queue_is_answered_whole_and_takes_more():
    good = CHEAP.hash("good")
    with checker() as asks:
        for number in range(PENDING_MAX):
            assert asks.ask(number, good, "good" if number % 2 else "bad")
        assert not asks.ask("one more", good, "good")
        found = answers(asks, PENDING_MAX)
        assert found == [(number, number % 2 == 1) for number in range(PENDING_MAX)]
        assert asks.ask("one more", good, "good")
        assert answers(asks, 1) == [("one more", True)]


def test_a_crash_is_a_refusal_and_the_next_question_has_a_new_child():
    good = CHEAP.hash("good")
    with checker(CRASHING) as asks:
        number = asks.fileno()
        assert asks.ask("a", good, "good") and asks.ask("b", good, "good")
        assert answers(asks, 2) == [("a", False), ("b", False)]
        asks._command = (sys.executable, "-P", credentials.__file__)
        assert asks.ask("c", good, "good")
        assert answers(asks, 1) == [("c", True)] and asks.fileno() == number


def test_a_child_that_is_killed_in_between():
    good = CHEAP.hash("good")
    with checker() as asks:
        assert asks.ask("a", good, "good")
        assert answers(asks, 1) == [("a", True)]
        asks._child.kill()
        asks._child.wait()
        assert asks.ask("b", good, "good")  # into a broken pipe
        assert answers(asks, 1) == [("b", False)]
        assert asks.ask("c", good, "good")
        assert answers(asks, 1) == [("c", True)]


def test_a_child_that_cannot_be_started():
    with checker(("/nonexistent/python",)) as asks:
        assert asks.ask("a", None, "x")
        assert asks.results() == [("a", False)] and asks.pending == 0


def test_the_child_ends_with_its_input():
    """As it does when the server is killed."""
    asks = Checker()
    assert asks.ask("a", None, "x")
    answers(asks, 1)
    child = asks._child
    child.stdin.close()
    assert child.wait(WAIT_S) == 0
    asks.close()
    asks.close()
    assert asks.fileno() == -1
