"""Text logs: the forms that are read, and one line for each that is not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from robustcert.audit.log import LogForm, LogRow, parse_columns, read_log
from robustcert.errors import InputError

HEADER = "idx\tlabel\tpredict\tradius\tcorrect\ttime\n"


def read(folder: Path, content: str | bytes, **form: object) -> list[LogRow]:
    path = folder / "log"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_log(path, form=LogForm(**form)))


def test_locuslabs_form_is_read_with_three_significant_digits(tmp_path: Path) -> None:
    rows = read(tmp_path, HEADER + "0\t3\t3\t0.0829\t1\t0:00:14\n20\t7\t-1\t0.0\t0\t17.6\n40\t1\t1\t1.7\t1\t1\n")
    assert [(row.sample, row.label, row.predicted, row.correct) for row in rows] == [
        (0, 3, 3, True),
        (20, 7, None, False),
        (40, 1, 1, True),
    ]
    assert [row.unit for row in rows] == [Decimal("0.0001"), Decimal("0.1"), Decimal("0.01")]
    assert [row.line for row in rows] == [2, 3, 4]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_other_columns_and_delimiters_are_read_with_the_digits_shown(tmp_path: Path, delimiter: str) -> None:
    lines = [["r", "id", "y", "p"], ["1.70", "5", "1", "none"], ["0.125", '"6"', "2", "2"]]
    text = "\ufeff" + "\r\n".join(delimiter.join(line) for line in lines)
    columns = {"idx": "id", "label": "y", "predict": "p", "radius": "r"}
    rows = read(tmp_path, text, columns=columns, abstention="none")
    assert [(row.sample, row.predicted, row.unit) for row in rows] == [
        (5, None, Decimal("0.01")),
        (6, 2, Decimal("0.001")),
    ]
    assert (rows[0].correct, rows[0].sigma) == (None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected a first line with the columns idx, label, predict, radius, got"),
        ("idx label predict radius\n1 2 3 4\n", "check the delimiter"),
        ("idx\tlabel\tradius\n1\t2\t3\n", "expected a first line with the columns predict, got"),
        ("idx\tidx\tlabel\tpredict\tradius\n", "expected a first line"),
        (HEADER + "1\t2\t3\n", "expected 6 fields in every line, got 3 in line 2 of log"),
        (HEADER + "1\t2\t3\tx\t1\t1\n", "expected a radius in line 2 of log, got 'x'"),
        (HEADER + "1\t2\t3\t1e-400\t1\t1\n", "expected a radius in line 2 of log, got '1e-400'"),
        (HEADER + "1.5\t2\t3\t1\t1\t1\n", "expected an id in line 2 of log, got '1.5'"),
        (HEADER + f"{1 << 63}\t2\t3\t1\t1\t1\n", "expected an id in line 2 of log"),
        (HEADER + "1\t2\t-2\t1\t1\t1\n", "expected a class, or -1, in line 2 of log, got '-2'"),
        (HEADER + "1\t2\t3\t1\tyes\t1\n", "expected 0 or 1 for correct in line 2 of log, got 'yes'"),
        (HEADER + HEADER, "expected a radius in line 2 of log, got 'radius'"),
        (b"\xff\xfe\x00", "expected a text log, got bytes that are no UTF-8 in log"),
        (b"\0" * 200_000, "expected lines of a log, got one longer than 100000 in log"),
        ('idx,label,predict,radius\n"1,2,3,4\n', "expected 4 fields in every line, got 1 in line 2 of log"),
    ],
)
def test_what_is_no_log_is_one_sentence(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, content)


def test_a_mapped_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a first line with the columns ok, got"):
        read(tmp_path, "idx,label,predict,radius\n1,2,3,4\n", columns={"correct": "ok"})


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a log, got No such file or directory"):
        list(read_log(tmp_path / "nothing", form=LogForm()))


def test_a_map_of_columns_names_only_known_ones() -> None:
    assert parse_columns("idx=sample,label=y") == {"idx": "sample", "label": "y"}
    assert parse_columns("") == {}
    for text in ("other=x", "idx=", "idx"):
        with pytest.raises(InputError, match="expected a map of idx, label, predict, radius, correct, sigma"):
            parse_columns(text)


def test_rows_are_streamed(tmp_path: Path) -> None:
    """The first rows come although a later one can't be read."""
    path = tmp_path / "log"
    path.write_text(HEADER + "1\t2\t2\t0.5\t1\t1\n" + "broken\n")
    rows = read_log(path, form=LogForm())
    assert next(rows).sample == 1
    with pytest.raises(InputError, match="got 1 in line 3"):
        next(rows)
