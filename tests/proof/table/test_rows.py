"""A user's table: every row in order, from any place on, and one clear error for a bad one."""

from __future__ import annotations

import csv
import hashlib
import io
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.errors import InputError
from lading.proof.table import rows as table
from lading.proof.table.rows import Place, Table

LABELS = ("ru", "en")


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "set.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, start: Place | None = None) -> list[tuple[int, str, int]]:
    with Table(path, LABELS, "text", start) as rows:
        return [(row.line, row.sample, row.label) for row in rows]


def refusal(folder: Path, content: str | bytes) -> InputError:
    with pytest.raises(InputError) as refused:
        read(written(folder, content))
    return refused.value


def test_columns_in_any_order_among_others(tmp_path: Path) -> None:
    content = '\ufeffid,Label,TEXT \r\n1,ru,привет\r\n\r\n2, en ,"a, ""b""\nc"\r\n3,en,last'
    assert read(written(tmp_path, content)) == [
        (2, "привет", 0),
        (4, 'a, "b"\nc', 1),
        (6, "last", 1),
    ]


cells = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), min_size=1, max_size=12
)


@given(st.lists(st.tuples(cells, st.sampled_from(LABELS)), min_size=1, max_size=12), st.data())
def test_what_csv_writes_is_read_from_any_row_on(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], data: st.DataObject
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("text", "label"), *rows])
    path = written(tmp_path_factory.mktemp("t"), text.getvalue())
    cut = data.draw(st.integers(0, len(rows)))
    with Table(path, LABELS, "text") as first:
        stream = iter(first)
        before = [(row.sample, LABELS[row.label]) for row in islice(stream, cut)]
        place = first.place
    with Table(path, LABELS, "text", place) as second:
        after = [(row.sample, LABELS[row.label]) for row in second]
        end = second.place
    assert before + after == rows
    assert end.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert end.offset == second.bytes == path.stat().st_size
    assert end.rows == len(rows)


def test_lines_are_counted_on_from_the_place(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label\na,ru\nb,en\nc,??\n")
    with Table(path, LABELS, "text") as rows:
        next(iter(rows))
        place = rows.place
    with pytest.raises(InputError) as refused:
        read(path, place)
    assert refused.value.subject.endswith("line 4")


def test_a_table_that_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    path = written(tmp_path, "text,label\na,ru\nb,en\n")
    with Table(path, LABELS, "text") as rows:
        next(iter(rows))
        place = rows.place
    for other in ("text,label\nA,ru\nb,en\n", "text,label\n"):
        with pytest.raises(InputError) as refused:
            read(written(tmp_path, other), place)
        assert refused.value.found == "other rows than when the comparison was interrupted"


@pytest.mark.parametrize(
    ("content", "line", "found", "remedy"),
    [
        ("text,label\na,ru\nb,de\n", 3, "label 'de'", "spell the label"),
        ("text,label\na,ru\n\nb\n", 4, "1 column(s): 'b'", "put double quotes"),
        ("text,label\nhello, world,en\n", 2, "3 column(s): 'hello, world,en'", "put double quotes"),
        (b"text,label\na,ru\n" + b"\xff\xfe,en\n", 3, "byte 0xff, which is not UTF-8",
         "save the table as UTF-8"),
        ("text,label\na,ru\n".encode("utf-16"), 1, "byte 0xff, which is not UTF-8",
         "save the table as UTF-8"),
        ("привет,ru\n".encode("cp1251"), 1, "byte 0xef, which is not UTF-8", "save the table"),
        ('text,label\n"a,ru\n', 2, "unexpected end of data", "put double quotes"),
        ('text,label\n"a"b,ru\n', 2, "',' expected after '\"'", "put double quotes"),
        ("text;label\na;ru\n", 1, "text;label", "write text,label as the first line"),
        ("text,text,label\na,b,ru\n", 1, "text, text, label", "write text,label"),
        ("path,label\na.png,ru\n", 1, "path, label", "this network takes text, not path"),
        ("a,ru\n", 1, "a, ru", "write text,label as the first line"),
        ("", 1, "nothing", "write text,label as the first line"),
    ],
)  # fmt: skip
def test_one_clear_error(
    tmp_path: Path, content: str | bytes, line: int, found: str, remedy: str
) -> None:
    error = refusal(tmp_path, content)
    assert error.subject == f"{tmp_path / 'set.csv'}, line {line}"
    assert error.found == found
    assert error.remedy.startswith(remedy)


def test_an_unknown_label_names_those_that_are_known(tmp_path: Path) -> None:
    assert refusal(tmp_path, "text,label\na,de\n").expected == "one of ru, en"


def test_a_file_without_lines_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "LONGEST", 100)
    assert refusal(tmp_path, "text,label\n" + "a" * 200).found == "a line of more than 100 bytes"


def test_a_quote_that_never_closes_is_not_read_to_the_end(tmp_path: Path) -> None:
    error = refusal(tmp_path, 'text,label\n"' + "a,ru\n" * 100_000)
    assert "field limit" in error.found


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        read(tmp_path / "none.csv")
    assert refused.value.expected == "a CSV file with the columns text,label"
    assert refused.value.remedy == "check the path of --data"
