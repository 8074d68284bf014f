#!/usr/bin/env python3
"""Benchmark (a): what a delivery to one of 1,000 readers costs the server, and what an idle connection costs.

All peers run in the same rounds, one after the other, so that a slow minute of the machine hits them alike; the ratio is
taken within each round. See README.md beside this file.
"""

import argparse

from harness import PEERS, Load, Server, build, measured_step, median, table, temporary_directory, write_json

RATIO_GOAL = 1.25
IDLE_GOAL_KB = 32
PHASES = ("paced", "closed loop")


def main():
    options = parse()
    if not options.no_build:
        build()
    rounds = []
    for number in range(1, options.rounds + 1):
        rounds.append({peer: measure(peer, options) for peer in options.peers})
        print(f"round {number} of {options.rounds}: {brief(rounds[-1])}", flush=True)
    result = summarize(rounds, options)
    print_tables(result, options)
    write_json(options.json, result)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=lambda text: text.split(","), default=list(PEERS), help="default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--senders", type=int, default=1)
    parser.add_argument("--rate", type=int, default=50, help="messages a second in the paced phase")
    parser.add_argument("--seconds", type=int, default=10, help="length of each phase")
    parser.add_argument("--json", help="write the numbers to this file")
    parser.add_argument("--no-build", action="store_true", help="take the binaries as they are")
    return parser.parse_args()


def measure(peer, options):
    return {"idle": idle(peer, options), **fanout(peer, options)}


def idle(peer, options):
    """Memory of connections that joined and do nothing, in a server that has just started."""
    with temporary_directory(None) as directory, Server(peer, directory) as server:
        before = server.rss_kb()
        with Load(server.url, "idle", "--connections", options.readers):
            after = server.rss_kb()
        return {"rss_before_kb": before, "rss_after_kb": after, "kb_per_connection": (after - before) / options.readers}


def fanout(peer, options):
    arguments = [f"--{name}={getattr(options, name)}" for name in ("readers", "senders", "rate", "seconds")]
    with temporary_directory(None) as directory, Server(peer, directory) as server:
        with Load(server.url, "fanout", *arguments) as load:
            reports = {phase: measured_step(server, load) for phase in PHASES}
    for phase, report in reports.items():
        if report["missing"]:
            print(f"WARNING: {peer}, {phase}: {report['missing']} deliveries are missing", flush=True)
        report["cpu_us_per_delivery"] = report["server_cpu_seconds"] * 1e6 / max(report["deliveries"], 1)
    return reports


def brief(round_):
    return ", ".join(f"{peer} {brief_peer(values)}" for peer, values in round_.items())


def brief_peer(values):
    costs = "/".join(f"{values[phase]['cpu_us_per_delivery']:.2f}" for phase in PHASES)
    return f"{costs} µs {values['idle']['kb_per_connection']:.1f} KB"


def summarize(rounds, options):
    peers = {peer: summarize_peer([round_[peer] for round_ in rounds]) for peer in options.peers}
    result = {"options": vars(options), "peers": peers, "rounds": rounds}
    if {"secure-chat", "bare"} <= set(options.peers):
        result["ratio_to_bare"] = {phase: median(ratio(round_, phase) for round_ in rounds) for phase in PHASES}
    return result


def summarize_peer(values):
    def of_phase(phase, key):
        return median(value[phase][key] for value in values)

    summary = {"kb_per_connection": median(value["idle"]["kb_per_connection"] for value in values)}
    for phase in PHASES:
        summary[phase] = {
            "cpu_us_per_delivery": of_phase(phase, "cpu_us_per_delivery"),
            "deliveries_per_second": of_phase(phase, "deliveries_per_second"),
            "delivery_p99_ms": median((value[phase]["delivery_us"]["p99"] or 0) / 1000 for value in values),
            "missing": sum(value[phase]["missing"] for value in values),
            "out_of_order": sum(value[phase]["out_of_order"] for value in values),
        }
    return summary


def ratio(round_, phase):
    return round_["secure-chat"][phase]["cpu_us_per_delivery"] / round_["bare"][phase]["cpu_us_per_delivery"]


def print_tables(result, options):
    print(f"\n{options.readers} readers, {options.senders} sender(s), {options.rate} messages/s when paced, "
          f"median of {options.rounds} rounds of {options.seconds} s each phase\n")
    head = ["server", "µs CPU/delivery, paced", "closed loop", "deliveries/s, closed loop", "p99 ms, paced", "closed loop",
            "missing", "out of order", "KB RSS/idle connection"]
    print(table(head, [row(peer, summary) for peer, summary in result["peers"].items()]))
    print()
    if "ratio_to_bare" in result:
        for phase, value in result["ratio_to_bare"].items():
            print(verdict(f"secure-chat / bare, {phase}", value, RATIO_GOAL))
    if "secure-chat" in result["peers"]:
        print(verdict("KB for an idle connection", result["peers"]["secure-chat"]["kb_per_connection"], IDLE_GOAL_KB))


def row(peer, summary):
    paced, closed = (summary[phase] for phase in PHASES)
    return [peer, f"{paced['cpu_us_per_delivery']:.2f}", f"{closed['cpu_us_per_delivery']:.2f}",
            f"{closed['deliveries_per_second']:,.0f}", f"{paced['delivery_p99_ms']:.1f}", f"{closed['delivery_p99_ms']:.1f}",
            paced["missing"] + closed["missing"], paced["out_of_order"] + closed["out_of_order"],
            f"{summary['kb_per_connection']:.1f}"]


def verdict(what, value, goal):
    return f"- {what}: {value:.2f}, goal at most {goal}: {'met' if value <= goal else 'MISSED'}"


if __name__ == "__main__":
    main()
