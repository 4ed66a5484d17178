# SPDX-License-Identifier: MIT
"""The results: on the terminal, as JSON, and as one page of HTML."""

import html
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
            f": {_number(verdict.value)} (quartiles "
            f"{_number(verdict.half[0])} to {_number(verdict.half[1])}, all "
            f"{_number(verdict.low)} to {_number(verdict.high)})")
        print(f"    target {verdict.text}{value} -> {verdict.said()}")
    sys.stdout.flush()


def print_summary(results, took, out):
    verdicts = [one for _, result in results for one in result.verdicts]
    print(f"\n{len(results)} rows in {took:.0f} s; targets: "
          + ", ".join(f"{sum(v.said() == said for v in verdicts)} {said}"
                      for said in ("ok", "falls short", "not told")))
    print(f"{out}/bench.json, {out}/bench.html")


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
                "text": v.text, "value": v.value, "quartiles": v.half,
                "low": v.low, "high": v.high, "verdict": v.said(),
            } for v in result.verdicts],
        } for row, result in results],
    }


def write(out, results, took):
    os.makedirs(out, exist_ok=True)
    data = as_data(results, took)
    with open(os.path.join(out, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
    with open(os.path.join(out, "bench.html"), "w", encoding="utf-8") as file:
        file.write(as_html(data))


STYLE = """
:root { color-scheme: light dark; --bar: #9db4c8; --ours: #2a78b5;
  --line: #8885; --good: #1a7f37; --bad: #c4432b; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 56rem;
  margin: 2rem auto; padding: 0 1rem; }
h2 { margin: 2.5rem 0 .5rem; } h3 { margin: 1.6rem 0 .2rem; font-size: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
td, th { text-align: left; padding: .25rem .6rem .25rem 0;
  border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.ok { color: var(--good); } .falls.short { color: var(--bad); }
.failed { color: var(--bad); font-size: .85rem; margin: 0; }
svg { width: 100%; height: auto; display: block; }
svg text { font: 13px system-ui, sans-serif; fill: currentColor; }
.bar { fill: var(--bar); } .ours { fill: var(--ours); }
.spread { stroke: currentColor; stroke-width: 1.5; }
"""

# Of the plots, in units of their own: names, bars, values.
NAME_WIDTH, BAR_WIDTH, VALUE_WIDTH, BAR_HEIGHT = 120, 480, 200, 22


def _plot(row):
    """Bars up to the medians, with a line from the least to the greatest."""
    sides = [(side, [one[row["key"]] for one in samples])
             for side, samples in row["samples"].items() if samples]
    if not sides:
        return ""
    # One side may be a hundred times the others; it is cut off, and says so.
    medians = sorted(statistics.median(values) for _, values in sides)
    full = min(medians[-1], 8 * medians[len(medians) // 2]) * 1.15 or 1
    parts = []
    for i, (side, values) in enumerate(sides):
        middle, top = statistics.median(values), i * BAR_HEIGHT

        def at(value):
            return NAME_WIDTH + BAR_WIDTH * min(value / full, 1)

        ours = side.startswith(("patch", "trap", "library"))
        parts.append(
            f'<text x="0" y="{top + 16}">{html.escape(side)}</text>'
            f'<rect class="{"ours" if ours else "bar"}" x="{NAME_WIDTH}" '
            f'y="{top + 4}" width="{at(middle) - NAME_WIDTH:.1f}" '
            f'height="{BAR_HEIGHT - 8}"/>'
            f'<line class="spread" x1="{at(min(values)):.1f}" '
            f'x2="{at(max(values)):.1f}" y1="{top + 11}" y2="{top + 11}"/>'
            f'<text x="{NAME_WIDTH + BAR_WIDTH + 10}" y="{top + 16}">'
            f'{_number(middle)} {row["unit"]}'
            f'{" (cut off)" if middle > full else ""}</text>')
    width = NAME_WIDTH + BAR_WIDTH + VALUE_WIDTH
    return (f'<svg viewBox="0 0 {width} {len(sides) * BAR_HEIGHT}" role="img" '
            f'aria-label="{html.escape(row["title"])}">{"".join(parts)}</svg>')


def _targets(data):
    lines = []
    for row in data["rows"]:
        for target in row["targets"]:
            spread = "" if target["value"] is None else (
                f"{_number(target['quartiles'][0])} to "
                f"{_number(target['quartiles'][1])} "
                f"({_number(target['low'])} to {_number(target['high'])})")
            lines.append(
                f'<tr><td><a href="#{row["name"]}">'
                f'{html.escape(row["title"])}</a></td>'
                f'<td>{html.escape(target["text"])}</td>'
                f'<td class="n">{_number(target["value"])}</td>'
                f'<td class="n">{spread}</td>'
                f'<td class="{target["verdict"]}">{target["verdict"]}</td>'
                '</tr>')
    return ('<table><tr><th>Work</th><th>Target</th><th class="n">Measured'
            '</th><th class="n">Spread</th><th></th></tr>'
            + "".join(lines) + "</table>")


def _row(row):
    failed = "".join(
        f'<p class="failed">{html.escape(side)}: {html.escape(why)}</p>'
        for side, why in row["failures"].items())
    return (f'<h3 id="{row["name"]}">{html.escape(row["title"])}</h3>'
            + _plot(row) + failed)


def as_html(data):
    where = data["machine"]
    parts = []
    group = None
    for row in data["rows"]:
        if row["group"] != group:
            group = row["group"]
            parts.append(f"<h2>{html.escape(group)}</h2>")
        parts.append(_row(row))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>polyring, measured</title><style>{STYLE}</style></head><body>
<h1>polyring, measured</h1>
<p>Linux {html.escape(where["kernel"])}, {html.escape(where["processor"])},
{where["cores"]} cores, {where["date"]}. The sides of a row alternate within
each round. Bars are medians, lines reach from the least to the greatest round;
less is better. A target is judged by the median of the rounds' ratios; the
spread is of those: the quartiles, and the least and the greatest.</p>
<h2>Targets</h2>
{_targets(data)}
{"".join(parts)}
</body></html>
"""
