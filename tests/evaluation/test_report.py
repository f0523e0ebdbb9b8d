"""The page of a report: whole, safe, and saying what the table says."""

import itertools
import re
from html.parser import HTMLParser

import msgspec
import pytest
from report_tables import AGENTS, BROKEN, ERROR, NAMES, read, table

from aixi.evaluation.report import figures, html_report
from aixi.evaluation.results import EnvironmentScore, Loss, ScoreResult

VOID = {"br", "circle", "meta", "path", "rect", "wbr"}
SECTIONS = [
    "leaderboard",
    "experience",
    "values",
    "learning",
    "weights",
    "pairs",
    "sensitivity",
    "profiles",
    "failures",
    "reading",
    "reproduce",
]


class Node:
    """An element, its attributes, and what is in it."""

    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent, self.children = tag, dict(attributes), parent, []

    def all(self, tag, style=None):
        for child in self.children:
            if isinstance(child, Node):
                if child.tag == tag and (style is None or style in child.attributes.get("class", "").split()):
                    yield child
                yield from child.all(tag, style)

    @property
    def text(self):
        joined = "".join(
            child if isinstance(child, str) else f" {child.text} " * (child.tag != "wbr") for child in self.children
        )
        return " ".join(joined.split())


class Tree(HTMLParser):
    """A page as a tree; what is not well-formed is an error."""

    def __init__(self, page):
        super().__init__()
        self.root = self.here = Node("", {}, None)
        self.feed(page)
        self.close()
        assert self.here is self.root

    def handle_starttag(self, tag, attrs):
        assert len({key for key, _ in attrs}) == len(attrs)
        node = Node(tag, attrs, self.here)
        self.here.children.append(node)
        if tag not in VOID:
            self.here = node

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID
        self.here.children.append(Node(tag, attrs, self.here))

    def handle_endtag(self, tag):
        assert tag == self.here.tag
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.children.append(data)


@pytest.fixture(scope="module")
def result():
    return table()


@pytest.fixture(scope="module")
def page(result):
    return html_report(result)


@pytest.fixture(scope="module")
def root(page):
    return Tree(page).root


def section(root, name):
    return next(
        node for node in root.all("section") if any(head.attributes.get("id") == name for head in node.all("h2"))
    )


def body(node, label):
    """The rows of the table in a labelled box, as texts."""
    box = next(box for box in node.all("div", "scroll") if box.attributes["aria-label"] == label)
    return [
        [cell.text for cell in row.children if isinstance(cell, Node)]
        for part in box.all("tbody")
        for row in part.all("tr")
    ]


def test_page_is_whole_and_in_the_order_of_the_questions(root):
    assert [head.attributes["id"] for head in root.all("h2")] == SECTIONS
    ids = [node.attributes["id"] for tag in ("h2", "p") for node in root.all(tag) if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    assert {link.attributes["href"] for link in root.all("a")} <= {f"#{name}" for name in ids}


def test_page_asks_nothing_of_the_network(page, root):
    style = next(root.all("style")).text
    assert re.search(r"url\(|@import|expression\(", style) is None
    assert not list(root.all("script")) + list(root.all("link")) + list(root.all("img")) + list(root.all("iframe"))

    def nodes(node):
        for child in node.children:
            if isinstance(child, Node):
                yield child
                yield from nodes(child)

    for node in nodes(root):
        for key, text in node.attributes.items():
            assert key in ("title", "aria-label") or "//" not in text, (node.tag, key)
            assert key not in ("src", "srcset", "style", "data", "action", "xlink:href"), node.tag
            assert not key.startswith("on"), node.tag
    assert len(page.encode()) < 300_000


def test_texts_of_third_parties_are_texts(root):
    shown = root.text
    assert "tag=<script>alert(1)</script>" in shown
    assert "EnvironmentFaultError: <b>no</b> observation" in shown
    assert " ".join(ERROR.split()) in shown
    assert not list(root.all("script"))
    assert all(agent in shown for agent in AGENTS)
    assert [cell.text for cell in root.all("pre")] == ["aixi score 'mc-aixi-ctw:depth=48' \"<x>\" --store run.sqlite"]


def test_every_class_has_a_style(root):
    style = next(root.all("style")).text
    used = {
        name
        for tag in ("svg", "path", "text", "rect", "circle", "span", "td", "div")
        for node in root.all(tag)
        for name in node.attributes.get("class", "").split()
    }
    plain = {"d0", "label"}  # a line without dashes, a text in ink
    assert {name for name in used - plain if re.search(rf"\.{name}\b", style) is None} == set()


def test_leaderboard_says_what_the_table_says(root, result):
    rows = body(section(root, "leaderboard"), "Leaderboard")
    assert len(rows) == len(result.agents)
    for cells, (agent, row) in zip(rows, result.agents.items(), strict=True):
        assert cells[0][1:].strip() == " ".join(agent.split())
        assert read(cells[1]) == pytest.approx(row.mean, abs=5.01e-4)
        assert [read(end) for end in cells[3].split(" … ")] == pytest.approx(
            [row.score.low, row.score.high], abs=5.01e-4
        )
        assert [read(end) for end in cells[4].split(" … ")] == pytest.approx([row.wide.low, row.wide.high], abs=5.01e-4)
        assert cells[5] == f"{row.rank[0]:g}–{row.rank[1]:g}"
        assert read(cells[6].split()[0]) == pytest.approx(row.interquartile_mean, abs=5.01e-4)
        ends = cells[6].split(maxsplit=1)[1].split(" … ")
        middle = row.interquartile_interval
        assert [read(end) for end in ends] == pytest.approx([middle.low, middle.high], abs=5.01e-4)
        assert float(cells[7].split(" %")[0]) == pytest.approx(100 * row.acceptability, abs=0.501)
        assert (int(cells[8]), read(cells[9]), cells[10], cells[11]) == (row.failures, row.cycles, "1:15", "3.2G")
    assert rows[0][12] == "24 tried 480 lives on tuning v1 12.5k cycles, 3.0 s"
    assert {cells[12] for cells in rows[1:]} == {"not on record"}


def test_interquartile_mean_of_few_seeds_is_marked():
    cells = body(section(Tree(html_report(table(seeds=3))).root, "leaderboard"), "Leaderboard")
    assert all(row[6].endswith(" ?") for row in cells)
    cells = body(section(Tree(html_report(table(seeds=10))).root, "leaderboard"), "Leaderboard")
    assert not any(row[6].endswith(" ?") for row in cells)


def test_whiskers_stand_where_their_numbers_are(root, result):
    board = section(root, "leaderboard")
    scale = next(board.all("svg"))
    places = {}
    for text in scale.all("text"):
        places[read(text.text)] = float(text.attributes["x"])
    (low, start), (high, end) = min(places.items()), max(places.items())
    for figure, row in zip(list(board.all("svg"))[1:], result.agents.values(), strict=True):
        dot = float(next(figure.all("circle")).attributes["cx"])
        line = next(figure.all("path", "whisker")).attributes["d"]
        ends = [float(spot.split(",")[0]) for spot in line[1:].split("L")]
        for at, number in zip([dot, *ends], [row.score.mean, row.score.low, row.score.high], strict=True):
            assert low + (at - start) / (end - start) * (high - low) == pytest.approx(number, abs=2e-3)


def test_heat_map_holds_every_value(root, result):
    rows = body(section(root, "values"), "Values per environment")
    heat = next(section(root, "values").all("table", "heat"))
    heavy = {
        name: ["lead" in cell.attributes["class"].split() for cell in row.all("td")]
        for name, row in zip(NAMES, list(heat.all("tr"))[1:], strict=True)
    }
    for cells, (name, environment) in zip(rows, result.environments.items(), strict=True):
        assert cells[0] == name + (" left out" if environment.excluded else "")
        means = [row.environments[name].mean for row in result.agents.values()]
        assert [read(cell) for cell in cells[1:]] == pytest.approx([*means, environment.constant_value], abs=5.01e-3)
        best = max(means) if environment.excluded is None else None
        assert heavy[name] == [mean == best for mean in means] + [False]
    out = [cell for cell in section(root, "values").all("td", "out")]
    assert len(out) == len(AGENTS) + 1
    full = body(section(root, "values"), "Values in full")
    assert len(full) == len(NAMES) * len(AGENTS)
    assert [row[8] for row in full if row[0].startswith(BROKEN)] == ["9 of 10", *["10 of 10"] * 5]


def test_figures_tell_their_title_and_stay_in_their_box(root):
    charts = list(root.all("svg"))
    assert len(charts) > 30
    for chart in charts:
        assert chart.attributes["role"] == "img"
        assert chart.children[0].tag == "title"
        assert chart.children[0].text
        width, height = map(float, chart.attributes["viewbox"].split()[2:])
        for path in chart.all("path"):
            spots = [tuple(map(float, spot.split(","))) for spot in path.attributes["d"].strip("MZ").split("L")]
            assert all(0 <= x <= width and 0 <= y <= height for x, y in spots)
        for text in chart.all("text"):
            assert 0 <= float(text.attributes["x"]) <= width
            assert 0 <= float(text.attributes["y"]) <= height
    lines = [chart for chart in charts if list(chart.all("path", "line"))]
    assert all(len(list(chart.all("text", "name"))) == 2 for chart in lines)
    assert len([chart for chart in lines if chart.children[0].text.startswith("Learning curves in ")]) == len(NAMES)


def test_labels_at_lines_do_not_touch(root):
    chart = next(section(root, "experience").all("svg"))
    heights = sorted(float(text.attributes["y"]) for text in chart.all("text", "label"))
    assert len(heights) == len(AGENTS)
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 14.9


def test_weights_pairs_sensitivity_and_failures_are_told(root, result):
    weights = body(section(root, "weights"), "Weights")
    shown = [environment for environment in result.environments.values() if environment.excluded is None]
    assert [float(row[3].split(" %")[0]) for row in weights[:-1] if "<" not in row[3]] == pytest.approx(
        [100 * environment.weights["tempered"] for environment in shown if environment.weights["tempered"] >= 5e-4],
        abs=0.0501,
    )
    assert weights[-1][0] == f"{BROKEN} left out"
    assert weights[-1][3:6] == ["–", "–", "–"]
    assert "toy engine 2.1" in section(root, "weights").text
    anchors = body(section(root, "weights"), "Anchors")
    assert [row[3] for row in anchors if row[1] == "best"][2] == "Nobody (2002), <table> 2"

    pairs = body(section(root, "pairs"), "Pairs")
    for cells, pair in zip(pairs, result.pairs, strict=True):
        assert read(cells[2]) == pytest.approx(pair.difference.mean, abs=5.01e-4)
        low, high = pair.difference.low, pair.difference.high
        assert cells[5] == ("better" if low > 0 else "worse" if high < 0 else "not told apart")
        assert cells[6:] == ["61 %", "no", "12.3 %"]

    part = section(root, "sensitivity")
    assert body(part, "Rankings") == [["1", "A › B › C › D › E › F", "2"], ["2", "F › E › D › C › B › A", "1"]]
    assert "All pairs: differences known to ±0.070." in section(root, "pairs").text
    asked = table(AGENTS[:2], precision_asked=0.05, stopped="budget spent")
    asked.pairs[0].dominates = asked.pairs[0].dominates_surely = True
    there = section(Tree(html_report(asked)).root, "pairs")
    assert "differences known to ±0.070 (asked ±0.05): not reached: budget spent" in there.text
    assert body(there, "Pairs")[0][7] == "surely"
    assert body(part, "Kendall's tau") == [["1", "1.00", "−1.00"], ["2", "−1.00", "1.00"]]
    assert body(part, "Without one environment") == [[NAMES[0], *(f"0.{a}00 ({6 - a})" for a in range(6))]]
    assert [row[:2] for row in body(part, "Every choice of weights")] == [
        ["mixture/all 2", "1"],
        ["uniform", "2"],
        ["lzma/all 2", "1"],
    ]

    failures = body(section(root, "failures"), "Failures")
    assert failures == [["B mc-aixi-ctw", NAMES[3], "9", "777", "the agent", " ".join(ERROR.split())]]


def test_what_is_wrong_is_said_before_the_numbers(result):
    lost = [Loss(AGENTS[2], NAMES[1], seed, f"<b>worker {seed}</b> died 3 times") for seed in range(8)]
    left_out = {"agent random has changed since": 12}
    loud = table(seeds=3, quick=True, interrupted=True, missing=7, kept=True, lost=lost, left_out=left_out)
    head, _, rest = html_report(loud).partition("<main>")
    assert "quick: for trying out, not for publication" in head
    assert "Interrupted" in head
    assert "7 lives are missing, since the run was interrupted; the same command goes on" in head
    assert "with --store FILE" in html_report(table(missing=7))
    assert f"{BROKEN} is left out for all agents" in head
    assert "8 lives are lost" in head
    assert all(f"&lt;b&gt;worker {seed}&lt;/b&gt; died 3 times" in head for seed in range(8))
    assert "12: agent random has changed since" in head
    board = section(Tree("<main>" + rest.partition("</body>")[0]).root, "leaderboard")
    assert "The intervals of A, B, C, D, E, F are not trustworthy" in board.text
    assert all(row[3].endswith(" ?") for row in body(board, "Leaderboard"))
    assert len(list(board.all("path", "unsure"))) == len(AGENTS)
    failures = body(section(Tree("<main>" + rest.partition("</body>")[0]).root, "failures"), "Failures")
    assert [row[1:5] for row in failures[1:]] == [[NAMES[1], str(seed), "–", "the worker: lost"] for seed in range(8)]
    quiet = html_report(table(broken=None))
    for word in (
        "trying out",
        "Interrupted",
        "are missing",
        "left out for all agents, since",
        "not trustworthy:",
        "lives are lost",
    ):
        assert word not in quiet.replace(ERROR, "")


def test_one_life_draws_nothing_that_means_nothing():
    alone = table(AGENTS[:1], seeds=1, sensitivity=None, failures=[], precision=None)
    root = Tree(html_report(alone)).root
    for name, said in {
        "leaderboard": "There is no interval for A",
        "experience": "Not drawn: it takes",
        "pairs": "Nothing to compare",
        "sensitivity": "Not told: it takes two agents",
        "failures": "No life failed",
    }.items():
        assert said in section(root, name).text
        if name != "leaderboard":
            assert not list(section(root, name).all("svg"))
    bare = Tree(html_report(ScoreResult(suite="empty", suite_version=1))).root
    assert not list(bare.all("svg"))
    assert [head.attributes["id"] for head in bare.all("h2")] == SECTIONS


def test_agent_without_all_its_lives_has_dashes_and_a_reason(result):
    missing = msgspec.convert(msgspec.to_builtins(result), ScoreResult)
    row = missing.agents[AGENTS[-1]]
    row.mean = row.score = row.wide = row.rank = row.acceptability = row.interquartile_mean = None
    row.interquartile_interval, row.curve, row.profile, row.tags, row.scores = None, [], [], {}, {}
    row.environments[NAMES[0]] = EnvironmentScore()
    missing.pairs[0].difference = missing.pairs[0].improvement = missing.pairs[0].swap = None
    missing.sensitivity.scores[0][-1] = None
    root = Tree(html_report(missing)).root
    board = section(root, "leaderboard")
    assert "There is no score for F" in board.text
    assert body(board, "Leaderboard")[-1][1:8] == ["–", "", "–", "–", "–", "–", "–"]
    assert body(section(root, "values"), "Values per environment")[0][-2] == "–"
    assert body(section(root, "pairs"), "Pairs")[0][2:] == ["–", "", "–", "–", "–", "no", "none"]
    assert "Not told" in section(root, "sensitivity").text


def test_same_table_same_page_and_nothing_is_changed(result, page):
    before = msgspec.json.encode(result)
    assert html_report(result) == page
    assert msgspec.json.encode(result) == before


def test_twenty_agents_have_twenty_letters_and_lines():
    many = table([f"agent-{k}" for k in range(28)], seeds=2)
    root = Tree(html_report(many)).root
    keys = [row[0].split()[0] for row in body(section(root, "leaderboard"), "Leaderboard")]
    assert keys[24:] == ["Y", "Z", "AA", "AB"]
    chart = next(section(root, "experience").all("svg"))
    styles = {path.attributes["class"] for path in chart.all("path", "line")}
    assert len(styles) == 3 * figures.COLOURS  # colours times dashes, then again; the letters still tell them apart
    assert len({text.text for text in chart.all("text", "key")}) == 28


@pytest.mark.parametrize(
    ("low", "high", "most"), [(0.0, 1.0, 5), (-0.37, 0.92, 6), (-41.0, 1.0, 4), (0.4981, 0.4983, 4), (3.0, 3.0, 5)]
)
def test_axes_hold_their_values_and_few_marks(low, high, most):
    axis = figures.linear("score", [low, high], most)
    assert axis.low <= low <= high <= axis.high
    assert 1 < len(axis.ticks) <= most + 1
    assert all(axis.low <= position <= axis.high for position, _ in axis.ticks)
    assert [read(text) for _, text in axis.ticks] == pytest.approx([position for position, _ in axis.ticks])
    steps = [b[0] - a[0] for a, b in itertools.pairwise(axis.ticks)]
    assert steps == pytest.approx([steps[0]] * len(steps))
