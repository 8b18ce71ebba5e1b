"""The 188 characters that the networks know, the nine classes, and what an app has to know."""

from __future__ import annotations

import json
import string

from lading.record import Port, Task
from lading.task.text import Vocabulary

_RUSSIAN = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_HEBREW = "אבגדהוזחטיכלמנסעפצקרשת"
_HEBREW_FINALS = "ךםןףץ"
#: In the order of their ids, from 1; 0 is padding and every other character.
CHARACTERS = (
    string.ascii_lowercase
    + string.ascii_uppercase
    + "1234567890"
    + " -=[]\\;',./`!@#$%^&*()_+{}|:\"<>?~"
    + _RUSSIAN
    + _RUSSIAN.upper()
    + _HEBREW
    + _HEBREW_FINALS
)
#: Rows of the embedding: the characters, and one for padding.
VOCABULARY = len(CHARACTERS) + 1
#: Y_from_X: the user meant Y while the keyboard was set to X.
LABELS = (
    "ru",
    "en",
    "he",
    "ru_from_en",
    "he_from_en",
    "en_from_ru",
    "en_from_he",
    "he_from_ru",
    "ru_from_he",
)
LENGTH = 20


def encode(text: str, length: int = LENGTH) -> list[int]:
    """The ids of a text, cut or padded with 0 at the end.

    >>> encode("ab я!", 8)
    [1, 2, 63, 128, 75, 0, 0, 0]
    """
    return Vocabulary(CHARACTERS, length).encode(text)


def task(length: int) -> Task:
    """What the networks are for: ids [1, length] int32 in, nine scores [1, 9] out."""
    ids = Port(
        "input_ids", "tensor", "int32", (1, length),
        meaning="character ids", value_range=(0, VOCABULARY - 1),
    )  # fmt: skip
    scores = Port(
        "classLogits", "tensor", "float32", (1, len(LABELS)), meaning="logits", class_axis=1
    )
    notes = {
        "name": "LayoutClassifier",
        "vocabulary": json.dumps(CHARACTERS, ensure_ascii=False),
        "encoding": f"the id of a character is its place in the vocabulary, from 1; 0 stands for "
        f"padding and for any other character; {length} ids, cut or padded at the end",
        "classes": "Y_from_X: the user meant Y while the keyboard was set to X",
    }
    return Task("classification", (ids,), (scores,), LABELS, "softmax", notes=notes)
