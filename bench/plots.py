# SPDX-License-Identifier: BSD-2-Clause
"""The report's pictures, SVG, from the same numbers. matplotlib draws; without it the report has none, and says so."""

from rows import ROWS, SIZES, title


def values(data, row, what):
    return data["rows"].get(row, {}).get(data["nic"], {}).get(what)


def table2(plt, data, path):
    rows = [r for r in ROWS if values(data, r, "instructions")]
    fig, (ours, paper) = plt.subplots(1, 2, figsize=(11, 4.5), sharey=True)
    for ax, name in ((ours, "here: guest instructions a segment (log)"), (paper, "the paper: microseconds a segment")):
        ax.set_title(name, fontsize=10)
        for i, size in enumerate(SIZES):
            of = [values(data, r, "instructions").get(size, {}).get("median", 0) for r in rows] if ax is ours else \
                 [ROWS[r].paper[i] if ROWS[r].paper else 0 for r in rows]
            ax.barh([y + 0.4 * i for y in range(len(rows))], of, 0.4, label=f"{size} byte" + "s" * (size > 1))
    ours.set_xscale("log")
    ours.set_yticks([y + 0.2 for y in range(len(rows))], [title(r) for r in rows], fontsize=8)
    ours.invert_yaxis()
    paper.legend()
    fig.tight_layout()
    fig.savefig(path)
    plt.close(fig)


def parts(plt, data, path):
    rows = [r for r in ROWS if values(data, r, "parts")]
    names = []
    for r in rows:
        names += [part for part, n in values(data, r, "parts").items() if part not in names and n >= 5]
    fig, ax = plt.subplots(figsize=(9, 4))
    left = [0.0] * len(rows)
    for name in names:
        width = [values(data, r, "parts").get(name, 0) for r in rows]
        ax.barh([title(r) for r in rows], width, left=left, label=name)
        left = [a + b for a, b in zip(left, width)]
    ax.invert_yaxis()
    ax.set_xlabel("guest instructions a segment of 1 byte, by part of the tree")
    ax.legend(fontsize=7)
    fig.tight_layout()
    fig.savefig(path)
    plt.close(fig)


def figure10(plt, data, path):
    found = values(data, "ipfwd", "trace")
    fig, ax = plt.subplots(figsize=(9, 4))
    ax.plot([t for t, _ in found["points"]], [n / 1e6 for _, n in found["points"]], ",-", linewidth=0.7)
    for at, what in found["marks"]:
        ax.axvline(at, color="grey", linestyle=":")
        ax.text(at, 0, " " + what, fontsize=8)
    ax.set_xlabel("seconds")
    ax.set_ylabel("sequence number at the receiver, MB")
    fig.tight_layout()
    fig.savefig(path)
    plt.close(fig)


def draw(data, folder):
    """[(file name, what it shows)]"""
    try:
        import matplotlib
    except ImportError:
        print("no pictures: python3-matplotlib is not installed", flush=True)
        return []
    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    plt.rcParams["svg.hashsalt"] = "towpath"
    made = []
    for name, what, plot, needs in (("table2.svg", "Table 2", table2, "instructions"), ("parts.svg", "by part", parts, "parts"),
                                    ("figure10.svg", "Figure 10: across a splice and an unsplice", figure10, "trace")):
        if any(values(data, r, needs) for r in ROWS):
            plot(plt, data, folder / name)
            made.append((name, what))
    return made
