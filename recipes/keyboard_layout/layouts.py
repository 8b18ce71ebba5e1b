"""Three physical keyboard layouts: which character each key gives, alone and with Shift.

Facts, written here as data: Debian's xkb-data 2.35.1, symbols `us(basic)`, `ru(winkeys)` (ЙЦУКЕН,
built on `ru(common)`) and `il(basic)` (SI-1452). Keys stand row by row as on an ISO keyboard; the
names of their rows are X11's: AE (digits), AD, AC, AB from the top down. The two keys that stand
elsewhere on some keyboards, TLDE (left of 1) and BKSL, follow at the end; space is on every layout.

>>> press(keys_of("привет", "ru"), "en")
'ghbdtn'
>>> press(keys_of("Hello", "en"), "ru"), press(keys_of("Hello", "en"), "he")
('Руддщ', 'Hקךךם')
>>> press(keys_of("שלום", "he"), "en")
'akuo'
"""

from __future__ import annotations

LANGUAGES = ("ru", "en", "he")

ROWS = tuple(
    tuple(f"{row}{column:02}" for column in range(1, count + 1))
    for row, count in (("AE", 12), ("AD", 12), ("AC", 11), ("AB", 10))
)
NAMES = (*(name for row in ROWS for name in row), "TLDE", "BKSL", "SPCE")

# One line per row AE, AD, AC, AB and one for TLDE, BKSL, SPCE; first alone, then with Shift.
_TABLES = {
    "en": (
        ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "`\\ "),
        ("!@#$%^&*()_+", "QWERTYUIOP{}", 'ASDFGHJKL:"', "ZXCVBNM<>?", "~| "),
    ),
    "ru": (
        ("1234567890-=", "йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю.", "ё\\ "),
        ('!"№;%:?*()_+', "ЙЦУКЕНГШЩЗХЪ", "ФЫВАПРОЛДЖЭ", "ЯЧСМИТЬБЮ,", "Ё/ "),
    ),
    "he": (
        ("1234567890-=", "/'קראטוןםפ][", "שדגכעיחלךף,", "זסבהנמצתץ.", ";\\ "),
        ("!@#$%^&*)(_+", "QWERTYUIOP}{", 'ASDFGHJKL:"', "ZXCVBNM><?", "~| "),
    ),
}

#: a key's place in `NAMES` and whether Shift is held
Stroke = tuple[int, bool]

#: layout -> for (no Shift, Shift), the character of every key in the order of `NAMES`
CHARACTERS = {name: ("".join(plain), "".join(held)) for name, (plain, held) in _TABLES.items()}
#: layout -> character -> how it is typed; without Shift where both ways give it
STROKES: dict[str, dict[str, Stroke]] = {
    name: {
        **{character: (key, True) for key, character in enumerate(held)},
        **{character: (key, False) for key, character in enumerate(plain)},
    }
    for name, (plain, held) in CHARACTERS.items()
}
_BEGIN = (0, 12, 24, 35, 45)


def neighbours(key: int) -> tuple[int, ...]:
    """The keys that touch `key`: left and right, and two in each row beside its own.

    A row is shifted by about half a key to the right of the row above it; TLDE, BKSL and SPCE have
    none.
    """
    row = next((r for r in range(4) if _BEGIN[r] <= key < _BEGIN[r + 1]), None)
    if row is None:
        return ()
    column = key - _BEGIN[row]
    places = (
        (row, column - 1), (row, column + 1), (row - 1, column), (row - 1, column + 1),
        (row + 1, column - 1), (row + 1, column),
    )  # fmt: skip
    return tuple(
        _BEGIN[r] + c for r, c in places if 0 <= r < 4 and 0 <= c < _BEGIN[r + 1] - _BEGIN[r]
    )


def keys_of(text: str, layout: str) -> list[Stroke]:
    """How `text` is typed in `layout`.

    Raises:
        KeyError: the layout has no key for a character.
    """
    return [STROKES[layout][character] for character in text]


def press(strokes: list[Stroke], layout: str) -> str:
    """What appears when the strokes are pressed while `layout` is set."""
    plain, held = CHARACTERS[layout]
    return "".join(held[key] if shift else plain[key] for key, shift in strokes)
