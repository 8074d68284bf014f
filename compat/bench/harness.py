"""What the benchmarks share: starts servers, reads what they cost, leads the load generator through its phases."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
RELEASE = REPO / "target" / "release"
VENV = REPO / "compat" / ".venv-bench"
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60
STOP_SECONDS = 20
# A thousand connections need more open files than many systems allow at first; the children inherit the raised limit.
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
PEERS = ("secure-chat", "bare", "node", "flask")


def build():
    """One command has to do: cargo knows what is still fresh."""
    command = ["cargo", "build", "--release", "--bin", "secure-chat", "--example", "bench_load", "--example", "bench_bare"]
    subprocess.run(command, cwd=REPO, check=True)


def command_of(peer):
    if peer == "secure-chat":
        return [os.environ.get("SECURE_CHAT_BIN", str(RELEASE / "secure-chat")), "serve"]
    if peer == "bare":
        return [str(RELEASE / "examples" / "bench_bare")]
    if peer == "node":
        return ["node", str(HERE / "node_peer.mjs")]
    return [str(flask_python()), str(HERE / "flask_peer.py")]


def flask_python():
    """The Flask peer lives in a venv of its own, made at the first need."""
    python = VENV / "bin" / "python"
    if not (VENV / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(HERE / "requirements.txt")], check=True)
        (VENV / ".gitignore").write_text("*\n")
        (VENV / "ready").touch()
    return python


class Server:
    """A running server: secure-chat or a peer. Used with `with`; its directory is the caller's."""

    def __init__(self, peer, directory):
        self.peer = peer
        self.directory = Path(directory)

    def __enter__(self):
        # A file instead of a pipe: nobody has to read along while the server is measured.
        self.log = self.directory / f"{self.peer}.log"
        env = os.environ | {"PORT": "0", "HOST": "127.0.0.1", "RATELIMIT_ENABLED": "false"}
        with self.log.open("w") as out:
            self.process = subprocess.Popen(command_of(self.peer), cwd=self.directory, env=env, stdout=out, stderr=out)
        try:
            self.url = self._wait_for_url()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"{self.peer} did not stop within {STOP_SECONDS} s and was killed", file=sys.stderr)
            self.process.kill()
            self.process.wait()

    def _wait_for_url(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.log.read_text().splitlines():
                if " listens on http://" in line:
                    return line.rsplit(" ", 1)[1]
            time.sleep(0.02)
        raise RuntimeError(f"{self.peer} did not start:\n{self.log.read_text()[-2000:]}")

    def cpu_seconds(self):
        """User and system time of all its threads, also of those that have ended."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss_kb(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise RuntimeError(f"{self.peer} has no VmRSS: it has ended")


class Load:
    """The load generator at work: each `step` lets it run its next phase and returns what it reports."""

    def __init__(self, url, *arguments):
        command = [str(RELEASE / "examples" / "bench_load"), url, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self.ready = self._read()
        return self

    def __exit__(self, failed, *_):
        self.process.stdin.close()
        if failed:
            self.process.kill()
        if self.process.wait(STOP_SECONDS) != 0 and not failed:
            raise RuntimeError("the load generator failed")

    def step(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator failed")
        return json.loads(line)


def measured_step(server, load):
    """The report of the next phase, with what the server spent on it."""
    before = server.cpu_seconds()
    report = load.step()
    report["server_cpu_seconds"] = server.cpu_seconds() - before
    return report


def temporary_directory(parent):
    return tempfile.TemporaryDirectory(prefix="secure-chat-bench-", dir=parent)


def file_system(directory):
    found = subprocess.run(["findmnt", "-no", "FSTYPE,SOURCE", "-T", str(directory)], capture_output=True, text=True)
    return " on ".join(found.stdout.split()) or "unknown"


def fsync_ms(directory, times=50):
    """What durability costs here at the least: the median time of an appended page and its fsync."""
    taken = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


def median(values):
    return statistics.median(list(values))


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_json(path, result):
    if path:
        Path(path).write_text(json.dumps(result, indent=2) + "\n")
