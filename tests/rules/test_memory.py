"""What threads took for a moment is given back, and what long work leaves when it is done."""

from __future__ import annotations

import subprocess
import sys

HASHING = """
import sys, threading, psutil
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from banyan.runtime.host import memory
if sys.argv[1] == "give back":
    memory.give_back()
together = threading.Barrier(20)
def hash():
    together.wait()
    for _ in range(3):
        Scrypt(salt=bytes(16), length=32, n=2**14, r=8, p=1).derive(b"secret")
    together.wait()
threads = [threading.Thread(target=hash) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(psutil.Process().memory_info().rss // 1_000_000)
"""

ROWS = """
import sys, psutil
from banyan.runtime.host import memory
rows = [bytes(2000) for _ in range(100_000)]
rows = rows[::1000]  # what stays lies everywhere between what is free
if sys.argv[1] == "trim":
    memory.trim()
print(psutil.Process().memory_info().rss // 1_000_000)
"""


def _rss_mb(program: str, how: str) -> int:
    done = subprocess.run([sys.executable, "-c", program, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_threads_that_hashed_a_password_keep_nothing_of_it() -> None:
    assert 2 * _rss_mb(HASHING, "give back") < _rss_mb(HASHING, "as it is")


def test_the_heap_of_many_rows_goes_back_though_a_few_stay() -> None:
    assert 2 * _rss_mb(ROWS, "trim") < _rss_mb(ROWS, "as it is")
