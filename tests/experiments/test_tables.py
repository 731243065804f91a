"""The forms of a table: each can be read back."""

import csv
import io
import json

import pytest

import minisam as ms
from minisam.experiments.published import Published
from minisam.experiments.summary import summarize
from minisam.experiments.tables import Table, tables, to_csv, to_data

METHODS = {"ERM": ms.sam.ERM(), "SAM rho=0.1": ms.sam.SAM(0.1), "AE-SAM": ms.sam.AESAM()}
PRINTED = {
    "ERM": {0.2: Published(87.92, None, 0.0), 0.4: Published(70.82, 0.5, 0.0)},
    "AE-SAM": {0.2: Published(92.84, None, 50.0)},
}


def result(cell):
    if cell.method.name == "AE-SAM" and cell.seed == 1:
        return {"effective_noise": cell.noise, "diverged": "why"}
    return {
        "effective_noise": cell.noise,
        "accuracy": 0.9 + 0.01 * cell.seed,
        "climbed": 0.25,
        "evaluations": 1234.0 + 2000 * cell.noise,
        "seconds": 0.5,
        "lambda_max": 12.345,
    }


def rows(*rates, seeds=(0, 1)):
    return summarize(METHODS, seeds, rates, result)


def test_one_rate_is_one_table():
    (table,) = tables(rows(0.2), PRINTED)
    assert table.title == "Noise 20 %"
    assert table.head == [
        *("method", "accuracy, %", "published", "%SAM", "published", "predicted"),
        *("gradients", "seconds", "λmax"),
    ]
    assert table.rows == [
        ["ERM", "90.50 ± 0.71", "87.92", "25.0", "0.0", "–", "1,634", "0.50", "12.3"],
        ["SAM rho=0.1", "90.50 ± 0.71", "–", "25.0", "–", "–", "1,634", "0.50", "12.3"],
        ["AE-SAM", "90.00 (1 diverged)", "92.84", "25.0", "50.0", "50.0", "1,634", "0.50", "12.3"],
    ]


def test_without_print_and_prediction_their_columns_are_not_there():
    few = summarize({"ERM": METHODS["ERM"]}, [0], [0.0], result)
    (table,) = tables(few, {})
    assert table.title == "No noise"
    assert table.head == ["method", "accuracy, %", "%SAM", "gradients", "seconds", "λmax"]
    assert table.rows == [["ERM", "90.00", "25.0", "1,234", "0.50", "12.3"]]


def test_several_rates_are_three_tables():
    accuracy, climbed, cost = tables(rows(0.2, 0.4), PRINTED)
    assert accuracy.head == ["method", "noise 20 %", "published", "noise 40 %", "published"]
    assert accuracy.rows[0] == ["ERM", "90.50 ± 0.71", "87.92", "90.50 ± 0.71", "70.82 ± 0.50"]
    assert accuracy.rows[2][4] == "–"
    assert climbed.head[-1] == "predicted"
    assert [row[-1] for row in climbed.rows] == ["–", "–", "50.0"]
    assert cost.head == ["method", "noise 20 %", "noise 40 %", "gradients", "seconds"]
    assert cost.rows[0] == ["ERM", "12.3", "12.3", "1,834", "0.50"]  # of 1,634 and 2,034


def test_a_method_that_always_diverged_is_shown():
    gone = summarize({"AE-SAM": METHODS["AE-SAM"]}, [1], [0.0], result)
    (table,) = tables(gone, {})
    assert table.rows == [["AE-SAM", "diverged", "–", "50.0", "–", "–", "–"]]
    (entry,) = to_data(gone, {})
    assert (entry["diverged"], entry["seeds"], entry["accuracy_percent_mean"]) == (1, 0, None)


def test_text_is_aligned():
    lines = Table("title", ["a", "bb"], [["ccc", "d"], ["e", "ffff"]]).as_text().splitlines()
    assert lines == ["title", "a      bb", "---------", "ccc     d", "e    ffff"]


@pytest.mark.parametrize("rates", [(0.2,), (0.2, 0.4)])
def test_markdown_can_be_read_back(rates):
    for table in tables(rows(*rates), PRINTED):
        title, empty, *lines = table.as_markdown().splitlines()
        assert (title, empty) == (f"**{table.title}**", "")
        head, rule, *body = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in lines
        ]
        assert (head, body) == (table.head, table.rows)
        assert rule == ["---"] + ["---:"] * (len(head) - 1)


def test_csv_and_json_can_be_read_back():
    data = to_data(rows(0.2, 0.4), PRINTED)
    assert len(data) == 6
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    back = list(csv.DictReader(io.StringIO(to_csv(data))))
    assert [list(entry) for entry in back] == [list(entry) for entry in data]
    for text, entry in zip(back, data, strict=True):
        for key, value in entry.items():
            assert text[key] == ("" if value is None else str(value))
    erm, sam, ae = data[:3]
    assert (erm["published_accuracy_percent"], erm["published_accuracy_std"]) == (87.92, None)
    assert (sam["published_accuracy_percent"], ae["published_sam_percent"]) == (None, 50.0)
    assert (ae["seeds"], ae["diverged"], ae["accuracy_percent_std"]) == (1, 1, None)
    assert erm["lambda_max_mean"] == 12.345
