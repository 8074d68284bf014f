#!/usr/bin/env python3
"""Benchmark (b): durable messages a second from 200 senders in 20 rooms, with few and with a million messages stored.

secure-chat acknowledges a message after its COMMIT, so each ack counted here is a message that a crash cannot lose. The
peers keep messages in memory; they show what the same load costs without durability. See README.md beside this file.
"""

import argparse
import shutil
import time
from pathlib import Path

from harness import (Load, Server, build, file_system, fsync_ms, measured_step, median, table, temporary_directory,
                     write_json)

RATE_GOAL = 5000
KEPT_GOAL = 0.9
# Few senders, one a room: each message is delivered once, so that filling is not slowed down by fan-out.
FILL = ("--senders=20", "--rooms=20", "--window=60", "--seconds=3600")
SERVER = "secure-chat"


def main():
    options = parse()
    if not options.no_build:
        build()
    with temporary_directory(options.dir) as directory:
        print(f"file system: {file_system(directory)}; one 4 KiB append and fsync: {fsync_ms(directory):.2f} ms", flush=True)
        result = compare(Path(directory), options)
        result |= {"file_system": file_system(directory), "fsync_ms": fsync_ms(directory), "options": vars(options)}
    print_tables(result, options)
    write_json(options.json, result)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=lambda text: [peer for peer in text.split(",") if peer], default=["bare", "node"],
                        help="besides secure-chat; default: bare,node; '' for none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10, help="length of one measurement")
    parser.add_argument("--senders", type=int, default=200)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--window", type=int, default=8, help="unacknowledged messages of a sender, at most")
    parser.add_argument("--few", type=int, default=1_000, help="messages stored before")
    parser.add_argument("--many", type=int, default=1_000_000, help="messages stored before, in the comparison")
    parser.add_argument("--dir", help="where the databases go; default: the system's temporary directory")
    parser.add_argument("--json", help="write the numbers to this file")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    return parser.parse_args()


def compare(directory, options):
    few, many = directory / "few", directory / "many"
    fills = [fill(few, options.few), fill(many, options.many)]
    runs = {"few": lambda: on_a_copy(few, options), "many": lambda: measure(SERVER, many, options)}
    runs |= {peer: lambda peer=peer: in_memory(peer, directory, options) for peer in options.peers}
    rounds = []
    for number in range(1, options.rounds + 1):
        # Every other round runs backwards, so that a drift of the machine favours nobody.
        order = list(runs) if number % 2 else list(reversed(runs))
        rounds.append({name: runs[name]() for name in order})
        rates = ", ".join(f"{name} {rounds[-1][name]['per_second']:,.0f}/s" for name in runs)
        print(f"round {number} of {options.rounds}: {rates}", flush=True)
    return {"fills": fills, "rounds": rounds, "summary": {name: summarize(rounds, name) for name in runs}}


def fill(directory, messages):
    """Stores messages through the server itself: the same way as all others."""
    directory.mkdir()
    start = time.monotonic()
    with Server(SERVER, directory) as server, Load(server.url, "post", *FILL, f"--count={messages}") as load:
        report = load.step()
    if report["acked"] != messages:
        raise RuntimeError(f"only {report['acked']} of {messages} messages were stored")
    seconds = time.monotonic() - start
    size = disk_bytes(directory)
    print(f"stored {messages:,} messages in {seconds:.0f} s, {report['per_second']:,.0f}/s, "
          f"{size / messages:,.0f} bytes each on disk", flush=True)
    return {"messages": messages, "seconds": seconds, "per_second": report["per_second"], "disk_bytes": size}


def on_a_copy(stored, options):
    """Measures on a copy: a measurement adds tens of thousands of messages, and few must stay few."""
    copy = stored.with_name("copy")
    shutil.copytree(stored, copy)
    try:
        return measure(SERVER, copy, options)
    finally:
        shutil.rmtree(copy)


def in_memory(peer, directory, options):
    place = directory / peer
    place.mkdir(exist_ok=True)
    return measure(peer, place, options)


def measure(peer, directory, options):
    arguments = [f"--{name}={getattr(options, name)}" for name in ("senders", "rooms", "window", "seconds")]
    with Server(peer, directory) as server, Load(server.url, "post", *arguments) as load:
        report = measured_step(server, load)
        report["rss_kb"] = server.rss_kb()
    if report["refused"]:
        print(f"WARNING: {peer} refused {report['refused']} messages", flush=True)
    report["cpu_us_per_message"] = report["server_cpu_seconds"] * 1e6 / report["acked"]
    return report


def disk_bytes(directory):
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())


def summarize(rounds, name):
    values = [round_[name] for round_ in rounds]
    return {
        "per_second": median(value["per_second"] for value in values),
        "ack_ms": {part: median(value["ack_us"][part] for value in values) / 1000 for part in ("p50", "p95", "p99", "max")},
        "cpu_us_per_message": median(value["cpu_us_per_message"] for value in values),
        "rss_mb": median(value["rss_kb"] for value in values) / 1024,
        "refused": sum(value["refused"] for value in values),
        "out_of_order": sum(value["out_of_order"] for value in values),
    }


def print_tables(result, options):
    names = {"few": f"secure-chat, {options.few:,} stored before", "many": f"secure-chat, {options.many:,} stored before"}
    print(f"\n{options.senders} senders in {options.rooms} rooms, {options.window} messages each on their way, "
          f"{result['file_system']}, median of {options.rounds} rounds of {options.seconds} s\n")
    head = ["server", "acked/s", "ack ms p50", "p95", "p99", "max", "µs CPU/message", "RSS MB", "refused", "out of order"]
    print(table(head, [row(names.get(name, f"{name} (memory only)"), of) for name, of in result["summary"].items()]))
    print()
    summary = result["summary"]
    rate, kept = summary["few"]["per_second"], summary["many"]["per_second"] / summary["few"]["per_second"]
    print(f"- durable messages/s: {rate:,.0f}, goal at least {RATE_GOAL:,}: {'met' if rate >= RATE_GOAL else 'MISSED'}")
    print(f"- kept with {options.many:,} stored: {kept:.0%}, goal at least {KEPT_GOAL:.0%}: "
          f"{'met' if kept >= KEPT_GOAL else 'MISSED'}")
    for peer in options.peers:
        print(f"- secure-chat / {peer}: {rate / summary[peer]['per_second']:.2f}")


def row(name, summary):
    latencies = [f"{summary['ack_ms'][part]:.1f}" for part in ("p50", "p95", "p99", "max")]
    return [name, f"{summary['per_second']:,.0f}", *latencies, f"{summary['cpu_us_per_message']:.0f}",
            f"{summary['rss_mb']:.0f}", summary["refused"], summary["out_of_order"]]


if __name__ == "__main__":
    main()
