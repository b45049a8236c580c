"""How a file is delimited, from its beginning."""

from __future__ import annotations

import random

import pytest

from etl_actors.errors import FileRefused
from etl_actors.files.csv_reading import Dialect
from etl_actors.files.dialect import DELIMITERS, SAMPLE_CHARS, delimiter_named, detect_dialect
from etl_actors.files.lines import Lines

CASES = [
    ("id,name\n1,Ann\n", Dialect(",")),
    ("id;name;price\n1;Ann, Lee;2,50\n2;Bob;3,10\n", Dialect(";")),
    ("a|b|c\n1|2|3\n", Dialect("|")),
    ("a\tb\n1,5\t2\n", Dialect("\t")),
    ("time;v\n10:00:00;1\n11:00:00;2\n", Dialect(";")),
    ('id,name\n1,"Smith; J"\n2,"Doe; A"\n', Dialect(",")),
    ('id;text\n1;"a,b\nc,d"\n2;"e,f"\n', Dialect(";")),
    ("name\nAnn\nBob\n", Dialect(",")),
    ("a,b,c\n", Dialect(",")),
    ("a,b\n1\n1,2,3\n1,2\n1,2\n", Dialect(",")),
    ("note\nhello world, and more\nfoo bar\n", Dialect("\t")),  # one column, which no delimiter cuts
    ("a,b\n'x,y',2\n'z,w',3\n", Dialect(",", "'")),
    ("a,b\n'tis,2\n4,3\n5,6\n", Dialect(",")),
    ('a,b\n"q \\"x\\", y",2\n"z",3\n', Dialect(",", '"', "\\")),
    ('a,b\n"C:\\dir\\",2\n"z",3\n', Dialect(",")),
    ('a\tb\n5" disk\t"abc" said\n6"\t"x" y\n', Dialect("\t", "")),
    ('a,b\n1,"open\n2,z\n3,w\n', Dialect(",")),
]


@pytest.mark.parametrize(("sample", "dialect"), CASES)
def test_dialects(sample: str, dialect: Dialect) -> None:
    """The delimiter and the quoting that most of the sample agrees with; one bad row does not bend them."""
    assert detect_dialect(sample, whole=True) == dialect


def test_a_line_that_is_cut_is_no_evidence() -> None:
    """The last line of a sample may go on."""
    assert detect_dialect("a;b,c\n1;2\n3;4\n5", whole=False).delimiter == ";"


def test_what_is_said_is_not_detected() -> None:
    """A delimiter that is given stays, whatever the sample says."""
    assert detect_dialect("a;b\n1;2\n", whole=True, delimiter=",").delimiter == ","


@pytest.mark.parametrize("letters", ['"', '"a\n', "'\"", ",;|\t'\"\n ab1-:", '""\n', ',"""\n', "'\n"])
def test_hostile_samples_take_linear_time(letters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However quotes open and close, no line of a sample is parsed more than twice by any dialect."""
    chance = random.Random(1)
    sample = "".join(chance.choice(letters) if len(letters) > 5 else letters for _ in range(SAMPLE_CHARS))[
        :SAMPLE_CHARS
    ]
    handed_out = 0
    original = Lines.__next__

    def counted(lines: Lines) -> str:
        nonlocal handed_out
        handed_out += 1
        return original(lines)

    monkeypatch.setattr(Lines, "__next__", counted)
    detect_dialect(sample, whole=True)
    dialects = 3 * len(DELIMITERS)
    assert handed_out <= 2 * dialects * (len(sample.splitlines()) + 1)


@pytest.mark.parametrize(
    ("text", "delimiter"), [(",", ","), ("tab", "\t"), ("\\t", "\t"), ("Semicolon", ";"), ("~", "~")]
)
def test_delimiters_by_name(text: str, delimiter: str) -> None:
    """A character, or its name."""
    assert delimiter_named(text) == delimiter


@pytest.mark.parametrize("text", ["", ",,", '"', "\n", "\r", "\0", "\ud800", "word"])
def test_delimiters_that_are_none(text: str) -> None:
    """Refused with the place."""
    with pytest.raises(FileRefused) as caught:
        delimiter_named(text)
    assert caught.value.places[0][0] == "delimiter"
