"""From exec to the first request of the Runtime API, on loopback."""

import http.server
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from contenders import NODE, OURS, PYTHON, ROOT

# The variables of Lambda's own environment that a function may look at when it
# starts; the credentials are placeholders and nothing is signed before an event.
ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "example",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/bench",
    "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
    "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023",
    "PATH": os.environ["PATH"],
    "LANG": "C.UTF-8",
}
DEADLINE_SECONDS = 30


class _FirstRequest(http.server.BaseHTTPRequestHandler):
    """Notes when work is first asked for, and answers nothing more."""

    def do_GET(self) -> None:
        if self.path.endswith("/invocation/next"):
            self.server.asked_at = time.perf_counter()
            self.server.asked.set()
        # A function waits here; it is stopped while it does.
        self.server.finished.wait(DEADLINE_SECONDS)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def starters(bootstrap: Path | None) -> dict[str, tuple[str, ...]]:
    """What is started, by name. `bootstrap` is ours, where it is built."""
    listed = {
        "python3 + boto3 + Pillow": (PYTHON, str(ROOT / "bench" / "peers" / "cold_start.py")),
        "node + S3 client + sharp": (NODE, str(ROOT / "bench" / "node" / "cold_start.mjs")),
    }
    return {OURS: (str(bootstrap),), **listed} if bootstrap else listed


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def once(command: tuple[str, ...], task_root: str = "/var/task") -> dict[str, float]:
    """Starts a program once, its package unpacked in `task_root`; milliseconds to its first request, and VmHWM and
    processor time at that moment. Raises when it ends, or waits, without having asked."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _FirstRequest)
    server.asked, server.finished = threading.Event(), threading.Event()
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    environment = ENVIRONMENT | {
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "LAMBDA_TASK_ROOT": task_root,
    }
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False
        )
        try:
            while not server.asked.wait(0.1):
                if not _has_ended(process.pid) and time.perf_counter() - started < DEADLINE_SECONDS:
                    continue
                log.seek(0)
                said = log.read().decode(errors="replace")[-2000:]
                waited = time.perf_counter() - started
                raise RuntimeError(f"{command[0]} asked for no work in {waited:.1f} s; it said: {said}")
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        finally:
            # Popen.kill would reap a process that has ended, and its figures with it.
            os.kill(process.pid, signal.SIGKILL)
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
            server.finished.set()
            server.shutdown()
            server.server_close()
    return {
        "wall_ms": (server.asked_at - started) * 1e3,
        "cpu_ms": (usage.ru_utime + usage.ru_stime) * 1e3,
        "peak_bytes": int(peak.split()[1]) * 1024,
    }
