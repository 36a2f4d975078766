"""One line per check, a count at the end."""

import sys
import threading
import time
import traceback
from contextlib import contextmanager


class Aborted(Exception):
    """A step failed that the rest of its suite depends on; it is already counted."""


class Report:
    """Collects and prints results. Safe to use from several threads."""

    def __init__(self, stream=None):
        self.passed = 0
        self.failures = []
        self.skipped = []
        self._stream = stream or sys.stdout
        self._lock = threading.Lock()
        # What the names of suites end with.
        self._where = ""

    def _line(self, text):
        print(text, file=self._stream, flush=True)

    @contextmanager
    def on(self, store):
        """Names the store in every line, if there is more than one."""
        self._where = f" [{store}]" if store else ""
        try:
            yield
        finally:
            self._where = ""

    def check(self, suite, what, good, detail=""):
        """Counts one check; returns whether it was good."""
        suite += self._where
        with self._lock:
            if good:
                self.passed += 1
                self._line(f"ok    {suite}: {what}")
            else:
                self.failures.append(f"{suite}: {what}")
                self._line(f"FAIL  {suite}: {what}" + (f" ({detail})" if detail else ""))
        return bool(good)

    def equal(self, suite, what, got, want):
        """A check that two values are the same; both are shown when they are not."""
        return self.check(suite, what, got == want, f"got {got!r}, want {want!r}")

    def need(self, suite, what, good, detail=""):
        """A check without which the suite cannot go on."""
        if not self.check(suite, what, good, detail):
            raise Aborted(what)

    def skip(self, suite, reason):
        """Something that was not run, by name and with the reason."""
        suite += self._where
        with self._lock:
            self.skipped.append(suite)
            self._line(f"SKIP  {suite}: {reason}")

    @contextmanager
    def suite(self, name):
        """Runs a suite so that its crash is one failure and the next suite still runs."""
        start = time.monotonic()
        self._line(f"--    {name}{self._where}")
        try:
            yield
        except Aborted:
            pass
        except Exception as error:  # noqa: BLE001: any crash of a suite is a failure of it
            trace = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{trace.filename.rsplit('/', 1)[-1]}:{trace.lineno}"
            self.check(name, "runs to its end", False,
                       f"{type(error).__name__}: {error} at {place}")
        self._line(f"--    {name}{self._where}: {time.monotonic() - start:.1f} s")

    def finish(self):
        """Prints what failed and was skipped, then the count; returns the exit code."""
        for failure in self.failures:
            self._line(f"failed: {failure}")
        for skipped in self.skipped:
            self._line(f"skipped: {skipped}")
        self._line(
            f"{self.passed} passed, {len(self.failures)} failed, {len(self.skipped)} skipped"
        )
        return 1 if self.failures or not self.passed else 0


def eventually(probe, seconds=15.0, every=0.02):
    """Polls `probe` until it returns something true or the time is over; returns the last value.

    An exception of the probe counts as "not yet" until the time is over, then it is raised.
    """
    end = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= end
        try:
            value = probe()
            if value or late:
                return value
        except Exception:  # noqa: BLE001: see above
            if late:
                raise
        time.sleep(every)
