# SPDX-License-Identifier: MIT
"""The results: on the terminal, as JSON, and as one page of HTML."""

import json
import os
import platform
import statistics
import sys
import time


def progress(text):
    """One line that is written over; nothing where nobody watches."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + text[:78])
        sys.stderr.flush()


def _number(value):
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def _spread(values):
    return f"{_number(min(values))} to {_number(max(values))}"


def print_row(row, result):
    print(f"{row.title}  [{row.name}]")
    base = result.median(next(iter(row.measures)), row.key)
    for side in row.measures:
        if side in result.failures:
            print(f"    {side:14} failed: {result.failures[side]}")
            continue
        values = result.values(side, row.key)
        if not values:
            continue
        middle = statistics.median(values)
        extra = "".join(
            f", {key.replace('_', ' ')} {_number(result.median(side, key))}"
            for key in result.samples[side][0] if key != row.key)
        times = f"{base / middle:6.2f}x" if base and middle else " " * 7
        print(f"    {side:14} {_number(middle):>9} {row.unit:8} {times}  "
              f"({_spread(values)}{extra})")
    for verdict in result.verdicts:
        value = "" if verdict.value is None else (
            f": {_number(verdict.value)} "
            f"({_number(verdict.low)} to {_number(verdict.high)})")
        print(f"    target {verdict.text}{value} -> {verdict.said()}")
    sys.stdout.flush()


def print_summary(results, took, out):
    verdicts = [one for _, result in results for one in result.verdicts]
    print(f"\n{len(results)} rows in {took:.0f} s; targets: "
          + ", ".join(f"{sum(v.said() == said for v in verdicts)} {said}"
                      for said in ("ok", "falls short", "not told")))
    print(f"{out}/bench.json")


def machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"kernel": platform.release(), "processor": model,
            "cores": os.cpu_count(), "date": time.strftime("%Y-%m-%d")}


def as_data(results, took):
    return {
        "machine": machine(), "seconds": round(took),
        "rows": [{
            "name": row.name, "title": row.title, "unit": row.unit,
            "key": row.key, "group": row.group,
            "samples": result.samples, "failures": result.failures,
            "medians": {side: result.median(side, row.key)
                        for side in result.samples},
            "targets": [{
                "text": v.text, "value": v.value, "low": v.low,
                "high": v.high, "verdict": v.said(),
            } for v in result.verdicts],
        } for row, result in results],
    }


def write(out, results, took):
    os.makedirs(out, exist_ok=True)
    data = as_data(results, took)
    with open(os.path.join(out, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
