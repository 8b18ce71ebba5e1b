"""Phrases as somebody types them, in the right layout or in a wrong one, with their class.

Words come by frequency from `wordfreq` (Speer 2022). A word belongs to training or to validation
by its own SHA-256, so that no word of a validation phrase was ever trained on, and a second run or
another computer draws the same line. Slips of the finger happen to keys, before the layout turns
them into characters.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from wordfreq import top_n_list, word_frequency

from recipes.keyboard_layout.layouts import LANGUAGES, STROKES, Stroke, keys_of, neighbours, press

#: (meant, layout) in the order of the network's outputs
CLASSES = (
    ("ru", "ru"), ("en", "en"), ("he", "he"),
    ("ru", "en"), ("he", "en"), ("en", "ru"), ("en", "he"), ("he", "ru"), ("ru", "he"),
)  # fmt: skip
LABELS = tuple(m if m == x else f"{m}_from_{x}" for m, x in CLASSES)

LONGEST, SHORTEST = 20, 3
WORDS = 80_000
#: of every hundred words, those kept for validation
HELD_OUT = 6

_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
_CYRILLIC = _CYRILLIC[:6] + "ё" + _CYRILLIC[6:]
_HEBREW = "אבגדהוזחטיכלמנסעפצקרשת" + "ךםןףץ"
ALPHABETS = {
    "en": set("abcdefghijklmnopqrstuvwxyz'"),
    "ru": set(_CYRILLIC),
    "he": set(_HEBREW + "'\""),
}
VOCABULARY = (
    "abcdefghijklmnopqrstuvwxyz" + "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + "1234567890"
    + " -=[]\\;',./`!@#$%^&*()_+{}|:\"<>?~"
    + _CYRILLIC + _CYRILLIC.upper() + _HEBREW
)  # fmt: skip
INDEX = {character: place for place, character in enumerate(VOCABULARY, 1)}


def encode(text: str) -> list[int]:
    """Twenty ids, cut or padded at the end; 0 for padding and for characters that are unknown."""
    ids = [INDEX.get(character, 0) for character in text[:LONGEST]]
    return ids + [0] * (LONGEST - len(ids))


def held_out(word: str) -> bool:
    """Whether the word is validation's."""
    return int(hashlib.sha256(word.encode()).hexdigest()[:8], 16) % 100 < HELD_OUT


@dataclass(frozen=True)
class Words:
    """The words of one language, with the running sum of the weights they are drawn by."""

    words: Sequence[str]
    cumulative: Sequence[float]

    def draw(self, luck: random.Random) -> str:
        return luck.choices(self.words, cum_weights=self.cumulative)[0]


@cache
def lexicon(language: str, *, validation: bool, power: float = 0.5) -> Words:
    """The most frequent words of a language that its own letters spell.

    Args:
        language: "en", "ru" or "he".
        validation: the held-out words, or all the others.
        power: a word is drawn in proportion to its frequency to this power. One half lets rare
            words come often enough to teach a language's letters, not its hundred commonest words.
    """
    chosen = [
        word
        for word in top_n_list(language, WORDS, "best")
        if set(word) <= ALPHABETS[language] and held_out(word) is validation
    ]
    weights = (word_frequency(word, language, "best") ** power for word in chosen)
    return Words(chosen, list(accumulate(weights)))


@dataclass(frozen=True)
class Habits:
    """How somebody writes: chances per phrase.

    Attributes:
        slip: that one finger slips: a neighbouring key, two keys swapped, one dropped, one doubled.
        capital: that the first letter is a capital.
        shout: that all letters are.
        title: that every word begins with a capital.
        mark: that a punctuation mark ends it.
    """

    slip: float = 0.0
    capital: float = 0.15
    shout: float = 0.04
    title: float = 0.04
    mark: float = 0.08


class Phrases:
    """An endless, repeatable stream of (text, class index), every class equally often."""

    def __init__(
        self, seed: int, *, validation: bool, habits: Habits, longest: int = LONGEST
    ) -> None:
        self.luck = random.Random(seed)
        self.habits = habits
        self.longest = longest
        self.words = {name: lexicon(name, validation=validation) for name in LANGUAGES}

    def draw(self) -> tuple[str, int]:
        """One phrase of 3 to 20 characters and its class.

        A text that holds no letter of the layout's own script says nothing of that layout (capitals
        on the Hebrew layout are Latin letters): such a draw is thrown away, as nobody could name
        its class.
        """
        label = self.luck.randrange(len(CLASSES))
        meant, layout = CLASSES[label]
        while True:
            strokes = self.slip(keys_of(self.phrase(meant), meant))
            text = press(strokes, layout)
            if SHORTEST <= len(text) <= self.longest and tells(text, layout):
                return text, label

    def phrase(self, language: str) -> str:
        """One to three words of the language, cased and punctuated, of 3 to 20 characters."""
        luck, habits = self.luck, self.habits
        while True:
            count = luck.randint(1, 3)
            text = " ".join(self.words[language].draw(luck) for _ in range(count))
            chance = luck.random()
            if chance < habits.shout:
                text = text.upper()
            elif chance < habits.shout + habits.title:
                text = " ".join(word[0].upper() + word[1:] for word in text.split(" "))
            elif chance < habits.shout + habits.title + habits.capital:
                text = text[0].upper() + text[1:]
            if luck.random() < habits.mark:
                text += luck.choice(".,!?")
            if SHORTEST <= len(text) <= self.longest and all(c in STROKES[language] for c in text):
                return text

    def slip(self, strokes: list[Stroke]) -> list[Stroke]:
        """Perhaps one slip of the finger."""
        luck = self.luck
        if luck.random() >= self.habits.slip:
            return strokes
        at = luck.randrange(len(strokes))
        key, shift = strokes[at]
        kind = luck.choice(("typo", "case", "swap", "drop", "double"))
        if kind == "typo" and neighbours(key):
            return [*strokes[:at], (luck.choice(neighbours(key)), shift), *strokes[at + 1 :]]
        if kind == "case":
            return [*strokes[:at], (key, not shift), *strokes[at + 1 :]]
        if kind == "swap" and at:
            return [*strokes[: at - 1], strokes[at], strokes[at - 1], *strokes[at + 1 :]]
        if kind == "drop":
            return [*strokes[:at], *strokes[at + 1 :]]
        if kind == "double":
            return [*strokes[:at], strokes[at], *strokes[at:]]
        return strokes


def script(character: str) -> str:
    """The language whose alphabet the character belongs to, or nothing."""
    low = character.lower()
    if "a" <= low <= "z":
        return "en"
    return "ru" if low in _CYRILLIC else "he" if low in _HEBREW else ""


def tells(text: str, layout: str) -> bool:
    """Whether any character is a letter of the layout's own script."""
    return any(script(character) == layout for character in text)
