"""A vocabulary: which token has which number, learned from texts or given."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from striate.foundation.checks import UserError

PADDING, UNKNOWN = "", "[UNK]"


class Vocabulary:
    """Tokens in order, after those that stand for what fills up (if it has one) and for what is not known.

    Args:
        where: How errors name it.
        max_tokens: How many it may hold, the special ones included; None for any number.
        has_padding: Whether number 0 is what fills up; else tokens "" are left out.
        weighs: Whether it knows how much each token tells (inverse document frequencies).
        padded: Whether weights are filled up to max_tokens.
    """

    def __init__(self, where: str, max_tokens: int | None, has_padding: bool, weighs: bool, padded: bool) -> None:
        self.where, self.max_tokens, self.weighs, self.padded = where, max_tokens, weighs, padded
        self.special = [PADDING, UNKNOWN] if has_padding else [UNKNOWN]
        self.has_padding = has_padding
        self.tokens: list[str] = []
        self.numbers: dict[str, int] = {}
        self.weights = np.zeros(0, "float32")

    def __len__(self) -> int:
        return len(self.special) + len(self.tokens)

    def lookup(self, tokens: Iterable[str]) -> list[int]:
        """The number of each token.

        Example:
            >>> words = Vocabulary("Words", None, True, False, False)
            >>> words.learn([["b", "a"], ["a"]])
            >>> words.lookup(["a", "b", "c", ""])
            [2, 3, 1, 0]
        """
        unknown = len(self.special) - 1
        numbers = self.numbers
        if self.has_padding:
            return [0 if token == PADDING else numbers.get(token, unknown) for token in tokens]
        return [numbers.get(token, unknown) for token in tokens if token != PADDING]

    def learn(self, documents: Iterable[Sequence[str]]) -> None:
        """Take the tokens of documents, the commonest first and of equals the one that sorts last, as Keras does."""
        counts: Counter[str] = Counter()
        found_in: Counter[str] = Counter()
        total = 0
        for tokens in documents:
            total += 1
            counts.update(tokens)
            if self.weighs:
                found_in.update(set(tokens))
        for token in (PADDING, UNKNOWN):
            counts.pop(token, None)
        if not total:
            raise UserError(f"{self.where}.adapt", "no texts", "at least one", "Pass data that is not used up.")
        order = sorted(sorted(counts, reverse=True), key=lambda token: -counts[token])
        kept = order if self.max_tokens is None else order[: self.max_tokens - len(self.special)]
        self._take(kept)
        if self.weighs:
            own = [math.log(1 + total / (1 + found_in[token])) for token in kept]
            self._take_weights([float(np.mean(own)) if own else 0.0, *own])

    def set(self, tokens: Any, weights: Any = None) -> None:
        """Take these tokens (or the lines of a text file), with or without the special ones in front.

        Args:
            tokens: A list or array of texts, or the path of a file with a token on each line.
            weights: As many numbers, where it weighs.

        Raises:
            UserError: A token comes twice or is "", there are none or too many, or weights are missing or too many.
        """
        where = f"{self.where}.set_vocabulary"
        if isinstance(tokens, str | Path):
            tokens = _lines(where, Path(tokens))
        if not isinstance(tokens, list | tuple | np.ndarray):
            needs = "a list or an array of texts, in the order of their numbers"
            raise UserError(where, f"tokens in a {type(tokens).__name__}", needs, "Pass for example sorted(tokens).")
        tokens = [decoded(where, token) for token in np.asarray(tokens, dtype=object).reshape(-1)]
        wrong = [token for token in tokens if not isinstance(token, str | int)]
        if wrong:
            raise UserError(where, f"the token {wrong[0]!r}", "texts", "Leave it out, or say it in letters.")
        tokens = [str(token) for token in tokens]
        if not tokens:
            raise UserError(where, "no tokens", "at least one", "Call adapt on texts to find them.")
        plain = self._checked(where, tokens)
        if self.weighs != (weights is not None):
            needs = "idf_weights with output_mode='tf_idf', and only then"
            got = "no idf_weights" if self.weighs else "idf_weights"
            raise UserError(where, got, needs, "Call adapt on texts to find them, or pass a number for each token.")
        if weights is not None:
            values = np.asarray(weights, "float64")
            if values.shape != (len(tokens),):
                got = f"idf_weights of shape {values.shape} for {len(tokens)} tokens"
                raise UserError(where, got, "one for each token", "Make them equally many.")
            self._take_weights(values if plain != tokens else [float(values.mean()), *values])
        self._take(plain)

    def restore(self, lines: list[str]) -> None:
        """Take the tokens of a model file, special ones included; weights are read elsewhere."""
        self._take(self._checked(self.where, lines))

    def lines(self) -> list[str]:
        """The tokens as a model file holds them.

        Raises:
            UserError: One has several lines.
        """
        broken = next((token for token in self.tokens if "\n" in token or "\r" in token), None)
        if broken is not None:
            fix = "Pass the tokens as vocabulary=, which saves them in another way."
            raise UserError(self.where, f"the token {broken!r} to save", "tokens of one line", fix)
        return [*self.special, *self.tokens]

    def _checked(self, where: str, tokens: list[str]) -> list[str]:
        """The tokens without the special ones in front, if they make a vocabulary."""
        has_special = tokens[: len(self.special)] == self.special
        plain = tokens[len(self.special) :] if has_special else tokens
        twice = [token for token, count in Counter(plain).items() if count > 1]
        if twice:
            raise UserError(where, f"{twice[0]!r} twice", "every token once", "Leave the second one out.")
        if PADDING in plain:
            fix = f"Leave '' out, or begin with {self.special}."
            raise UserError(where, "the token ''", "tokens that are not empty: '' fills up", fix)
        if self.max_tokens is not None and len(plain) + len(self.special) > self.max_tokens:
            got = f"{len(plain)} tokens beside {self.special}"
            raise UserError(where, got, f"at most max_tokens={self.max_tokens} in all", "Raise max_tokens.")
        return plain

    def _take(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.numbers = {token: number for number, token in enumerate(tokens, len(self.special))}

    def _take_weights(self, weights: Any) -> None:
        values = np.asarray(weights, "float32")
        spare = self.max_tokens - len(values) if self.padded and self.max_tokens is not None else 0
        self.weights = np.pad(values, (0, spare))


def decoded(where: str, value: Any, encoding: str = "utf-8") -> Any:
    """Bytes as text; everything else as it is.

    Raises:
        UserError: They are no text in this encoding.
    """
    try:
        return value.decode(encoding) if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        raise UserError(where, repr(value), f"texts in {encoding}", "Say their encoding, or decode them.") from None


def _lines(where: str, path: Path) -> list[str]:
    """The lines of a text file."""
    try:
        return path.read_text("utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(where, f"the file {str(path)!r} ({error})", "a UTF-8 text file", "Check the path.") from None
