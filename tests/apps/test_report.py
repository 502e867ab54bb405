"""The report says what the files of a run say, nothing else, and cannot be made to say it otherwise."""

import csv
import itertools
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, precision_recall_fscore_support
from sklearn.neural_network import MLPClassifier

from striate.apps.report import write_report
from striate.foundation.checks import UserError

MODEL = {
    "name": "digits",
    "layers": [
        {"name": "conv2d", "kind": "Conv2D", "output_shape": [None, 8, 8, 16], "params": 160, "flops": 19456,
         "receptive_field": [3, 3], "output_bytes": 4096, "connected_to": ["input"], "trainable": True, "depth": 0,
         "built": True},
        {"name": "max_pooling2d", "kind": "MaxPooling2D", "output_shape": [None, 4, 4, 16], "params": 0, "flops": 768,
         "receptive_field": [4, 4], "output_bytes": 1024, "connected_to": ["conv2d"], "trainable": None, "depth": 0,
         "built": True},
        {"name": "flatten", "kind": "Flatten", "output_shape": [None, 256], "params": 0, "flops": 0,
         "receptive_field": "all", "output_bytes": 1024, "connected_to": ["max_pooling2d"], "trainable": None,
         "depth": 0, "built": True},
        {"name": "dense", "kind": "Dense", "output_shape": [None, 10], "params": 2570, "flops": 5130,
         "receptive_field": "all", "output_bytes": 40, "connected_to": ["flatten"], "trainable": True, "depth": 0,
         "built": True},
    ],
    "params": 2730,
    "flops": 25354,
    "activation_bytes": 6184,
}  # fmt: skip
RUN = {
    "task": "classification",
    "command": ["striate", "train", "data/my digits", "--seed", "7"],
    "source": "/data/my digits",
    "best_epoch": 13,
    "spec": {
        "size": "small",
        "seed": 7,
        "epochs": 14,
        "batch_size": 32,
        "learning_rate": 0.002,
        "monitor": "val_accuracy",
    },
    "versions": {"striate": "0.1.0", "python": "3.12.1", "torch": "2.13.0"},
    "data": {"origin": "pictures of 10 classes in my digits", "samples": 1797, "digest": "sha256:" + "ab12" * 16},
    "model": MODEL,
}
DATA = {
    "samples": 1797,
    "counts": {split: {str(digit): 60 + 3 * digit for digit in range(10)} for split in ("train", "validation", "test")},
    "sizes": {"8 x 8": 1797},
    "modes": {"L": 1797},
    "quarantined": [
        {"id": "3/broken.png", "reason": "cannot be decoded: truncated after 112 of 340 bytes"},
        {"id": "7/empty.png", "reason": "has no bytes"},
    ],
}


def write_csv(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def interval(values):
    low, high = np.percentile(values, [2.5, 97.5])
    return {"value": float(np.mean(values)), "low": float(low), "high": float(high)}


def make_run(folder, names=None, epochs=14):
    """A run folder as training and evaluation leave it: a small network's answers about handwritten digits."""
    digits = load_digits()
    names = names or [str(digit) for digit in range(10)]
    labels = np.array(names, dtype=object)
    parts = np.split(np.random.default_rng(0).permutation(len(digits.data)), [500, 900])
    train, held, test = ((digits.data[part] / 16, digits.target[part]) for part in parts)
    network, history = MLPClassifier((32,), learning_rate_init=0.02, random_state=1), []
    for epoch in range(epochs):
        network.partial_fit(*train, classes=range(10))
        row = [epoch, 0.5 + epoch / 100]
        for pictures, targets in (train, held):
            probabilities = network.predict_proba(pictures)
            row += [log_loss(targets, probabilities), accuracy_score(targets, probabilities.argmax(1))]
        history.append(row)
    write_csv(folder / "metrics.csv", ["epoch", "seconds", "loss", "accuracy", "val_loss", "val_accuracy"], history)
    write_json(folder / "run.json", RUN)
    write_json(folder / "data_report.json", DATA)
    (folder / "events.jsonl").write_text('{"event": "start", "epoch": 0}\n{"event": "best", "epoch": 9}\n')
    (folder / "next.txt").write_text(
        "striate evaluate runs/digits\nstriate predict runs/digits/model.keras picture.png\n"
    )
    evaluate(folder / "evaluation", network, digits.images[parts[2]], test[1], labels)
    draw(
        folder / "samples",
        [(f"{index:02d}-{labels[digits.target[index]][:40]}", digits.images[index]) for index in range(12)],
    )
    return folder


def evaluate(folder, network, pictures, targets, labels):
    probabilities = network.predict_proba(pictures.reshape(len(pictures), -1) / 16)
    answers, confidence = probabilities.argmax(1), probabilities.max(1)
    right = answers == targets
    draws = np.random.default_rng(0).integers(len(targets), size=(100, len(targets)))
    figures = {
        "accuracy": interval(right[draws].mean(1)),
        "f1": interval([f1_score(targets[draw], answers[draw], average="macro") for draw in draws]),
        "loss": {"value": log_loss(targets, probabilities), "low": None, "high": None},
    }
    figures["accuracy"]["value"] = float(right.mean())
    write_json(folder / "metrics.json", figures)
    ids = [f"test-{index:04d}" for index in range(len(targets))]
    rows = zip(ids, labels[targets], labels[answers], confidence, right, [""] * len(ids), strict=True)
    columns = ["id", "target", "prediction", "confidence", "correct", "source", *(f"p_{name}" for name in labels)]
    write_csv(folder / "predictions.csv", columns, [[*row, *p] for row, p in zip(rows, probabilities, strict=True)])
    counts = confusion_matrix(targets, answers)
    write_csv(folder / "confusion.csv", ["", *labels], [[name, *row] for name, row in zip(labels, counts, strict=True)])
    worst = np.argsort(np.where(right, 0, -confidence))[:8]
    draw(folder / "worst", [(f"{rank:02d}-{ids[row]}", pictures[row]) for rank, row in enumerate(worst, 1)])


def draw(folder, pictures):
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures:
        Image.fromarray((picture * 15.9).astype(np.uint8)).save(folder / f"{name}.png".replace("/", "_"))


class Node:
    """An element of a parsed page."""

    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent, self.children = tag, dict(attributes), parent, []

    def __getitem__(self, attribute):
        return self.attributes[attribute]

    def all(self, *tags):
        """Every element inside, in order, of these tags."""
        inside = [child for child in self.children if isinstance(child, Node)]
        return [
            found for child in inside for found in ([child] if not tags or child.tag in tags else []) + child.all(*tags)
        ]

    def by_id(self, name):
        return next((node for node in self.all() if node.attributes.get("id") == name), None)

    @property
    def text(self):
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def values(self):
        """The numbers that it shows, as programs read them."""
        return [float(node["value"]) for node in self.all("data")]

    def rows(self, part="tbody"):
        return [[cell for cell in row.children if isinstance(cell, Node)] for row in self.all(part)[0].all("tr")]


class Page(HTMLParser):
    """Parses a page into nodes, and refuses tags that are not closed."""

    VOID = ("meta", "img", "br", "input", "link")

    def __init__(self, text):
        super().__init__()
        self.root = self.open = Node("page", [], None)
        self.feed(text)
        self.close()
        assert self.open is self.root

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names)), (tag, names)
        node = Node(tag, attributes, self.open)
        self.open.children.append(node)
        if tag not in self.VOID:
            self.open = node

    def handle_startendtag(self, tag, attributes):
        self.open.children.append(Node(tag, attributes, self.open))

    def handle_endtag(self, tag):
        assert tag == self.open.tag, (tag, self.open.tag)
        self.open = self.open.parent

    def handle_data(self, data):
        self.open.children.append(data)


def read(folder):
    return Page(write_report(folder).read_text(encoding="utf-8")).root


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "digits")


@pytest.fixture(scope="module")
def page(finished):
    return read(finished)


@pytest.fixture
def run(finished, tmp_path):
    """A copy to change."""
    return shutil.copytree(finished, tmp_path / "digits")


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_report_is_named_and_returned(finished):
    assert write_report(str(finished)) == finished / "report.html"


def test_answer_comes_first(finished, page):
    answer = page.all("main")[0].all()[0]
    rows = rows_of(finished / "evaluation" / "predictions.csv")[1:]
    accuracy = json.loads((finished / "evaluation" / "metrics.json").read_text())["accuracy"]
    targets = [row[1] for row in rows]
    most = max(targets.count(target) for target in targets) / len(rows)
    right = sum(row[1] == row[2] for row in rows)
    assert answer["class"] == "answer"
    assert answer.values == [accuracy["value"], len(rows), right, accuracy["low"], accuracy["high"], most]
    assert f"{100 * accuracy['value']:.1f}\u202f%" in answer.text


def test_figures_are_those_of_the_file(finished, page):
    figures = json.loads((finished / "evaluation" / "metrics.json").read_text())
    shown = {row.attributes["data-name"]: row for row in page.by_id("figures").all("tbody")[0].all("tr")}
    assert list(shown) == list(figures)
    for name, parts in figures.items():
        assert shown[name].values == [value for value in parts.values() if value is not None]
    bars = [bar["style"] for bar in shown["accuracy"].all("span") if bar["class"] == "bar"]
    assert all(str(part) in bars[0] for part in figures["accuracy"].values())
    assert not [bar for bar in shown["loss"].all("span") if bar["class"] == "bar"]


def test_epochs_are_those_of_the_file(finished, page):
    columns, *rows = rows_of(finished / "metrics.csv")
    table = page.by_id("epochs")
    assert [head.text for head in table.all("thead")[0].all("th")] == columns
    for row, cells in zip(rows, table.rows(), strict=True):
        assert [int(row[0]) + 1, *map(float, row[1:])] == [int(cells[0].text), *(cell.values[0] for cell in cells[1:])]


def test_matrix_is_that_of_the_file(finished, page):
    columns, *rows = rows_of(finished / "evaluation" / "confusion.csv")
    table = page.by_id("matrix")
    assert [head.text for head in table.all("thead")[0].all("th")] == columns[1:]
    assert [[cell.text for cell in cells] for cells in table.rows()] == rows
    for row, cells in enumerate(table.rows()):
        total = sum(int(cell.text) for cell in cells[1:])
        for column, cell in enumerate(cells[1:]):
            share, shade = int(cell.text) / total, float(cell["style"].removeprefix("--share: "))
            if share:
                assert cell["class"] == ("right" if row == column else "wrong")
                assert shade == pytest.approx(share if row == column else 0.15 + 0.85 * share**0.5, abs=1e-3)
            else:
                assert cell["class"] == "zero"


def test_most_frequent_mistakes_in_words(finished, page):
    columns, *rows = rows_of(finished / "evaluation" / "confusion.csv")
    mistakes = [
        (int(times), row[0], called)
        for row in rows
        for called, times in zip(columns[1:], row[1:], strict=True)
        if called != row[0]
    ]
    words = " ".join(page.by_id("confusion").all("ol")[0].all("li")[0].text.split())
    times, was, called = max(mistakes, key=lambda mistake: mistake[0])
    assert words.startswith(f"“{was}” taken for “{called}”: {times} times")


def test_class_scores_are_scikit_learns(finished, page):
    rows = rows_of(finished / "evaluation" / "predictions.csv")[1:]
    targets, answers = [row[1] for row in rows], [row[2] for row in rows]
    names = sorted(set(targets))
    precision, recall, f1, support = precision_recall_fscore_support(targets, answers, labels=names)
    table = {
        cells[0].text: [cell.values[0] for cell in cells if cell.all("data")] for cells in page.by_id("scores").rows()
    }
    for index, name in enumerate(names):
        assert table[name] == pytest.approx([f1[index], precision[index], recall[index], support[index]], rel=1e-12)
    assert [values[0] for values in table.values()] == sorted(f1)


def test_confidence_in_words(finished, page):
    rows = rows_of(finished / "evaluation" / "predictions.csv")[1:]
    confidence = np.array([float(row[3]) for row in rows])
    correct = np.array([row[1] == row[2] for row in rows])
    sure = confidence >= 0.9
    expected = [0.9, sure.sum(), len(rows), correct[sure].mean(), confidence.mean(), correct.mean()]
    assert page.by_id("reliability").values == pytest.approx(expected, rel=1e-12)


def test_layers_are_those_of_the_file(page):
    rows = page.by_id("layers").rows()
    for layer, (name, kind, shape, params, flops, field) in zip(MODEL["layers"], rows, strict=True):
        assert [name.text, kind.text] == [layer["name"], layer["kind"]]
        assert shape.text == ", ".join("?" if size is None else str(size) for size in layer["output_shape"])
        assert [*params.values, *flops.values] == [layer["params"], layer["flops"]]
        assert field.text in ("all", "3 × 3", "4 × 4")
    assert page.by_id("layers").all("tfoot")[0].values == [MODEL["params"], MODEL["flops"]]


@pytest.mark.parametrize("params", [{"total": 2730, "trainable": 2730}, 2730])
def test_weights_may_be_told_by_kind(run, params):
    write_json(run / "run.json", RUN | {"model": MODEL | {"params": params}})
    assert read(run).by_id("layers").all("tfoot")[0].values == [2730, MODEL["flops"]]


def test_worst_mistakes_say_what_they_are(finished, page):
    rows = {row[0]: row for row in rows_of(finished / "evaluation" / "predictions.csv")}
    figures = page.by_id("worst").all("figure")
    assert len(figures) == 8
    for figure in figures:
        said, was, name = [span.text for span in figure.all("span")]
        answer = rows[name]
        assert (said, was) == (f"said {answer[2]} ({100 * float(answer[3]):.1f}\u202f% sure)", f"was {answer[1]}")
        assert figure.all("img")[0]["alt"] == f"{said}, {was}, {name}"


def test_data_and_choices_are_those_of_the_files(page):
    data = page.by_id("data").text
    assert all(one["id"] in data and one["reason"] in data for one in DATA["quarantined"])
    counts = page.by_id("data").rows()
    assert counts[3][0].text == "3"
    assert [cell.values for cell in counts[3][1:]] == [[69], [69], [69]]
    reproduce = page.by_id("reproduce")
    assert reproduce.all("pre")[0].text == "striate train 'data/my digits' --seed 7"
    assert RUN["data"]["digest"] in reproduce.text
    assert "2.13.0" in reproduce.text
    assert page.by_id("next").all("pre")[0].text.splitlines()[0] == "striate evaluate runs/digits"


def test_page_needs_nothing_else(finished, page):
    text = (finished / "report.html").read_text(encoding="utf-8")
    assert not page.all("script", "link", "iframe", "object", "base", "form")
    assert all(
        image["src"].startswith("data:image/") for image in page.all("img", "image") if "src" in image.attributes
    )
    assert all(node["href"].startswith(("#", "data:")) for node in page.all() if "href" in node.attributes)
    assert "http:" not in text.replace("http-equiv", "")
    assert "https:" not in text
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    policy = next(node["content"] for node in page.all("meta") if "http-equiv" in node.attributes)
    assert policy.startswith("default-src 'none'; img-src data:")


def test_page_is_the_same_every_time(finished):
    assert write_report(finished).read_bytes() == write_report(finished).read_bytes()


def test_structure_serves_those_who_cannot_see_it(page):
    levels = [int(node.tag[1]) for node in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    names = [node["id"] for node in page.all() if "id" in node.attributes]
    assert len(names) == len(set(names))
    assert all(node["href"][1:] in names for node in page.all("a"))
    assert {node["aria-labelledby"] for node in page.all("section")} <= set(names)
    assert all(image["alt"] for image in page.all("img"))
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in page.all("svg"))
    assert all(
        box["tabindex"] == "0" and box["aria-label"]
        for box in page.all("div")
        if "scroll" in box.attributes.get("class", "").split()
    )
    assert all(head.attributes.get("scope") in ("col", "row") for head in page.all("th"))
    assert page.all("html")[0]["lang"] == "en"
    assert "width=device-width" in str([node.attributes for node in page.all("meta")])


def luminance(colour):
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return np.dot(linear, [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    """WCAG 2.2's contrast ratio."""
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def blend(colour, over, amount):
    mixed = [int(colour[i : i + 2], 16) * amount + int(over[i : i + 2], 16) * (1 - amount) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part):02x}" for part in mixed)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_is_enough_to_read(page, scheme):
    style = page.all("style")[0].text
    block = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[scheme == "dark"]
    colours = {
        name: code if len(code) == 7 else "#" + code[1:] + code[1:]
        for name, code in re.findall(r"--(\w+): (#\w+)", block)
    }
    shade = float(re.search(r"--shade: ([\d.]+)", block)[1])
    for back in ("paper", "panel"):
        assert all(contrast(colours[name], colours[back]) >= 4.5 for name in ("ink", "muted", "link"))
        assert all(contrast(colours[name], colours[back]) >= 3 for name in ("blue", "orange"))
    for name in ("blue", "orange"):
        assert contrast(colours["ink"], blend(colours[name], colours["paper"], shade)) >= 4.5
        red, green, blue = re.search(rf"--{name}-rgb: (\d+) (\d+) (\d+)", block).groups()
        assert colours[name] == f"#{int(red):02x}{int(green):02x}{int(blue):02x}"


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; background: url(//example.invalid)",
    "{{ 7 * 7 }}{% raw %}",
    "]]></svg><svg onload=alert(1)>",
    "$\\frac{1}{$ &amp; \x01\x0b",
    "\u202egnp.tac",
    "猫の写真",
    "é" * 300,
    "10",
]


def test_hostile_names_are_only_shown(tmp_path):
    """Names of classes, files and figures can hold anything that a folder's name can."""
    folder = make_run(tmp_path / "<b>run & {{ name }}", HOSTILE)
    about = RUN | {"task": HOSTILE[0], "command": HOSTILE[1], HOSTILE[0]: HOSTILE, "data": {"origin": HOSTILE[4]}}
    write_json(
        folder / "run.json",
        about | {"model": {"name": HOSTILE[0], "layers": [dict.fromkeys(MODEL["layers"][0], HOSTILE[0])]}},
    )
    write_json(folder / "data_report.json", {HOSTILE[0]: [{"id": name, HOSTILE[1]: name} for name in HOSTILE]})
    write_csv(folder / "metrics.csv", ["epoch", "loss", *HOSTILE[:6]], [[1, 0.5] + [0.5] * 6, [2, 0.25] + [0.4] * 6])
    write_json(
        folder / "evaluation" / "metrics.json", {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in HOSTILE}
    )
    (folder / "events.jsonl").write_text(json.dumps({HOSTILE[0]: HOSTILE[0]}) + "\n")
    (folder / "next.txt").write_text(HOSTILE[0])
    page = read(folder)
    assert not page.all("script")
    assert not [node for node in page.all() if any(name.startswith("on") for name in node.attributes)]
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert page.all("h1")[0].text == "<b>run & {{ name }}"
    heads = [cells[0].text for cells in page.by_id("matrix").rows()]
    assert heads == HOSTILE
    assert {cells[0].text for cells in page.by_id("scores").rows()} == set(HOSTILE)
    assert page.by_id("next").all("pre")[0].text == HOSTILE[0]


def test_bytes_that_are_no_text_are_replaced(run):
    write_json(run / "data_report.json", {"quarantined": [{"id": "caf\udce9.png", "reason": "unreadable"}]})
    (run / "next.txt").write_bytes(b"caf\xe9")
    assert "caf?.png" in read(run).by_id("data").text
    assert "caf\ufffd" in read(run).by_id("next").text


PARTS = {
    "run.json": ("network", "reproduce"),
    "metrics.csv": ("training",),
    "data_report.json": ("data",),
    "events.jsonl": ("events",),
    "evaluation/metrics.json": ("figures",),
    "evaluation/predictions.csv": ("classes", "reliability"),
    "evaluation/confusion.csv": ("confusion",),
    "evaluation/worst": ("worst",),
    "samples": ("samples",),
    "next.txt": ("next",),
}


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("name", PARTS)
def test_missing_file_takes_nothing_but_its_sections_along(run, page, name):
    remove(run / name)
    left, before = read(run), {node["id"] for node in page.all("section")}
    assert {node["id"] for node in left.all("section")} - {"missing"} == before - set(PARTS[name])
    told = left.by_id("missing")
    assert name in ("events.jsonl", "evaluation/confusion.csv") or name in told.text


def test_run_that_still_trains_says_so(run):
    for name in ("evaluation", "next.txt"):
        remove(run / name)
    page = read(run)
    assert "This run has no test figures yet" in page.all("main")[0].all("strong")[0].text
    assert "the worst mistakes (evaluation/worst)" in page.by_id("missing").text
    assert page.by_id("training")


@pytest.mark.parametrize("name", ["run.json", "metrics.csv", "data_report.json", "evaluation/metrics.json"])
def test_one_file_is_enough(finished, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    shutil.copy(finished / name, tmp_path / name)
    assert len(read(tmp_path).all("section")) >= 2


def test_first_epoch_is_enough(tmp_path):
    write_csv(tmp_path / "metrics.csv", ["epoch", "loss", "val_loss"], [[1, 0.7, 0.6]])
    page = read(tmp_path)
    assert "Best of 1 epoch," in " ".join(page.by_id("training").text.split())
    assert len(page.by_id("training").all("svg")) == 1


def test_other_tasks_get_a_report_without_being_known(tmp_path):
    """Boxes, regions, numbers: other figures, other columns, no classes."""
    write_json(tmp_path / "run.json", {"task": "forecasting", "seed": 1})
    write_json(
        tmp_path / "evaluation" / "metrics.json", {"mae": {"value": 2.5, "low": 2, "high": 3}, "new_score": 0.25}
    )
    rows = [[f"row-{index}", index, index + 0.5, index / 10] for index in range(10)]
    write_csv(tmp_path / "evaluation" / "predictions.csv", ["id", "target", "prediction", "spread"], rows)
    write_csv(tmp_path / "metrics.csv", ["epoch", "loss", "mae", "val_mae"], [[1, 3, 2, "NA"], [2, 2, 1.5, "nan"]])
    draw(tmp_path / "evaluation", [("forecast", np.zeros((40, 80)))])
    draw(tmp_path / "evaluation" / "worst", [("01-row-7", np.zeros((40, 80)))])
    page = read(tmp_path)
    ids = {node["id"] for node in page.all("section")}
    assert ids == {"figures", "training", "worst", "charts", "reproduce", "missing"}
    assert [cells[0].text for cells in page.by_id("figures").rows()] == [
        "Mean absolute errorhow far off it is on average, in the unit of the data",
        "new score",
    ]
    assert page.by_id("figures").values == [2.5, 2, 3, 0.25]
    assert "right" not in page.all("main")[0].all()[0].text
    assert [span.text for span in page.by_id("worst").all("span")] == ["said 7.5", "was 7", "row-7"]


@pytest.mark.parametrize(("times", "told"), [(0, False), (3, True), (None, False)])
def test_examples_in_more_than_one_part_are_told_with_the_answer(run, times, told):
    write_json(run / "data_report.json", DATA | {"duplicates": {"across_parts": times}})
    answer = " ".join(read(run).all("main")[0].all()[0].text.split())
    assert ("But in 3 cases the same content stands in more than one part of the data" in answer) == told


def test_figures_that_are_not_defined(run):
    figures = {"auc": {"value": None, "low": None, "high": None}, "accuracy": {"value": float("nan")}}
    write_json(run / "evaluation" / "metrics.json", figures)
    page = read(run)
    assert page.all("main")[0].all("data")[0].text == "–"
    assert [cells[1].text for cells in page.by_id("figures").rows()] == ["–", "–"]


def test_many_classes_become_a_heat_map(run):
    names = [f"class {index}" for index in range(100)]
    write_csv(
        run / "evaluation" / "confusion.csv",
        ["target", *names],
        [[name, *np.eye(100, dtype=int)[i] * 3] for i, name in enumerate(names)],
    )
    section = read(run).by_id("confusion")
    assert not section.all("table")
    assert section.all("image")[0]["href"].startswith("data:image/png")
    assert "It made no mistake." in section.text


def test_pictures_are_few_and_small(run):
    noise = np.random.default_rng(0).integers(0, 255, (800, 600, 3), dtype=np.uint8)
    Image.fromarray(noise).save(run / "samples" / "20-large.png", compress_level=0)
    for index in range(21, 50):
        shutil.copy(run / "samples" / "20-large.png", run / "samples" / f"{index}-large.png")
    section = read(run).by_id("samples")
    images = section.all("img")
    assert len(images) == 24
    assert "18 more in samples/" in section.text
    assert images[-1]["src"].startswith("data:image/jpeg")
    assert max(int(images[-1]["width"]), int(images[-1]["height"])) == 512
    assert (run / "report.html").stat().st_size < 3_000_000


def test_damaged_picture_leaves_a_gap(run):
    (run / "samples" / "00-0.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing more")
    section = read(run).by_id("samples")
    assert section.all("figure")[0].text.strip().startswith("cannot be read")
    assert len(section.all("img")) == 11


def test_damaged_file_is_named(run):
    (run / "run.json").write_text("{")
    with pytest.raises(UserError, match=r"run.json with no JSON: .*; it needs a whole run.json"):
        write_report(run)


def test_report_that_cannot_be_written_leaves_the_old_one(run, monkeypatch):
    old = write_report(run).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left on device"):
        write_report(run)
    assert (run / "report.html").read_bytes() == old
    assert not list(run.glob(".report*"))
