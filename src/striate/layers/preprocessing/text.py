"""Texts as numbers: standardized, split into tokens, and looked up."""

import re
import string
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from striate.foundation.checks import UserError, check_choice, check_flag, check_int, is_int
from striate.foundation.explain import explaining
from striate.foundation.shapes import Shape
from striate.layers.layer import Layer, registry
from striate.layers.preprocessing.vocabulary import Vocabulary, decoded
from striate.layers.structure import is_shape
from striate.layers.symbol import symbols_in

# Keras lowers ASCII letters only, and knows ASCII's punctuation and white space.
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
STANDARDS = {
    "lower_and_strip_punctuation": LOWER | NO_PUNCTUATION,
    "lower": LOWER,
    "strip_punctuation": NO_PUNCTUATION,
}
WORD = re.compile(r"[^ \t\n\v\f\r]+")
SPLITS: dict[str, Callable[[str], list[str]]] = {"whitespace": WORD.findall, "character": list}
MODES = ("int", "multi_hot", "count", "tf_idf")


@registry.register()
class TextVectorization(Layer):
    """Texts as numbers, each token by its number in a vocabulary that `adapt` learned, or that was given.

    Input: a text, or N of them: a list or array (N,) or (N, 1). Output: with "int" the numbers of the tokens, (N, T),
    where 0 fills up and 1 stands for tokens that are not known; else (N, tokens), where place 0 stands for these.

    Keras's layer needs TensorFlow; this one does not. Models take texts in arrays of NumPy.

    Args:
        max_tokens: How large the vocabulary may become, the special tokens included; None for any size.
        standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation" (of ASCII, as in Keras), None, or a
            function from an array of texts to another, with which the layer cannot be saved.
        split: "whitespace", "character", None where every text is one token, or a function from an array of texts to a
            list of tokens for each, with which the layer cannot be saved.
        ngrams: Make tokens of up to so many tokens in a row, or of as many as each number in a tuple says.
        output_mode: "int"; "multi_hot", one for every token that is there; "count", how often it is there; or
            "tf_idf", that times how much it tells.
        output_sequence_length: With "int", how many numbers come out for each text: cut off, or filled up with 0.
        pad_to_max_tokens: With the other modes, let max_tokens numbers come out, however large the vocabulary is.
        vocabulary: The tokens, or the path of a text file with one on each line, instead of `adapt`.
        idf_weights: With "tf_idf" and a vocabulary: how much each token tells.
        encoding: Of texts that come as bytes.

    Raises:
        UserError: An argument is out of range, or arguments do not go together.

    Example:
        >>> layer = TextVectorization(output_sequence_length=4)
        >>> layer.adapt(["foo bar", "bar baz", "baz bada boom"])
        >>> layer.get_vocabulary()
        ['', '[UNK]', 'baz', 'bar', 'foo', 'boom', 'bada']
        >>> layer(["Foo qux bar!", "qux baz"])
        tensor([[4, 1, 3, 0],
                [1, 2, 0, 0]])
    """

    takes_texts = True

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        encoding: str = "utf-8",
        **options: Any,
    ) -> None:
        size = options.pop("vocabulary_size", None)  # of Keras's files: of the vocabulary that is read later
        super().__init__(**options)
        self.max_tokens = None if max_tokens is None else check_int(self.where, "max_tokens", max_tokens, minimum=2)
        self.standardize = _choice(self.where, "standardize", standardize, STANDARDS)
        self.split = _choice(self.where, "split", split, SPLITS)
        self.ngrams = self._check_ngrams(ngrams)
        self.output_mode = self._check_mode(output_mode)
        self.output_sequence_length = output_sequence_length
        if output_sequence_length is not None:
            check_int(self.where, "output_sequence_length", output_sequence_length)
            if self.output_mode != "int":
                got = f"output_sequence_length={output_sequence_length} and output_mode={output_mode!r}"
                raise UserError(self.where, got, "output_mode='int' with it", "Leave output_sequence_length out.")
        self.pad_to_max_tokens = check_flag(self.where, "pad_to_max_tokens", pad_to_max_tokens)
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise UserError(self.where, "pad_to_max_tokens=True", "max_tokens with it", "Say max_tokens.")
        self.encoding = encoding
        weighs = self.output_mode == "tf_idf"
        self.vocabulary = Vocabulary(
            self.where, self.max_tokens, self.output_mode == "int", weighs, self.pad_to_max_tokens
        )
        self.given = None if vocabulary is None else (vocabulary, idf_weights)
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
        elif idf_weights is not None:
            raise UserError(self.where, "idf_weights without vocabulary", "both", "Pass vocabulary, too.")
        self._size = 0 if size is None else check_int(self.where, "vocabulary_size", size, minimum=0)
        if weighs and vocabulary is None:  # where a file's weights go
            width = self.max_tokens if self.pad_to_max_tokens else self._size
            self.vocabulary.weights = np.zeros(width or 0, "float32")
        self.built = True

    def _check_ngrams(self, ngrams: Any) -> Any:
        widths = ngrams if isinstance(ngrams, list | tuple) else [] if ngrams is None else [ngrams]
        if not all(is_int(width) and width > 0 for width in widths) or (
            isinstance(ngrams, list | tuple) and not widths
        ):
            needs = "a positive whole number, a tuple of them, or None"
            raise UserError(self.where, f"ngrams={ngrams!r}", needs, "Pass for example ngrams=2.")
        return tuple(ngrams) if isinstance(ngrams, list) else ngrams

    def _check_mode(self, mode: Any) -> str:
        if isinstance(mode, str):
            mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(mode, mode)  # Keras's old names
        return check_choice(self.where, "output_mode", mode, MODES, {"one_hot": "Take 'int' and torch's one_hot."})

    # The vocabulary ------------------------------------------------------------------------------

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary from texts, in place of the one from before.

        Tokens are numbered by how often they come, the commonest first, and those that come equally often from the
        last in the alphabet to the first, as in Keras.

        Args:
            data: A list or array of texts, or batches of them: a `Dataset` or a generator. Of (x, y) it takes x.
            batch_size: Keras's; texts need no batches here.
            steps: How many batches to take; None for all.

        Raises:
            UserError: The layer was made with a vocabulary, or there are no texts.
        """
        where = f"{self.where}.adapt"
        if self.given is not None:
            fix = "Leave vocabulary out, or do not call adapt."
            raise UserError(where, "texts for a layer that was given its vocabulary", "a layer without", fix)
        if isinstance(data, str | bytes) or not isinstance(data, Iterable):
            raise UserError(where, f"a {type(data).__name__}", "texts, or batches of them", "Pass a list of texts.")
        single = isinstance(data, list | tuple | np.ndarray)
        self.vocabulary.learn(self._documents([data] if single else data, None if single else steps))

    def _documents(self, batches: Iterable[Any], steps: int | None) -> Iterator[list[str]]:
        for index, batch in enumerate(batches):
            if steps is not None and index >= steps:
                return
            if isinstance(batch, tuple) and not isinstance(batches, list):
                batch = batch[0]
            yield from self._tokens(self._texts(batch))

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens in the order of their numbers.

        Args:
            include_special_tokens: Whether "" and "[UNK]" are among them.
        """
        return [*(self.vocabulary.special if include_special_tokens else []), *self.vocabulary.tokens]

    def vocabulary_size(self) -> int:
        """How many tokens there are, the special ones included."""
        return len(self.vocabulary)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take these tokens as the vocabulary.

        Args:
            vocabulary: A list or array of texts, or the path of a file with one on each line; with or without the
                special tokens in front.
            idf_weights: With output_mode="tf_idf" how much each of them tells.

        Raises:
            UserError: A token comes twice or is "", there are too many, or weights are missing or too many.
        """
        self.vocabulary.set(vocabulary, idf_weights)

    # From texts to numbers -----------------------------------------------------------------------

    def __call__(self, *args: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """The numbers for texts; on a symbol (of `Input(dtype="string")`) it records a node."""
        if symbols_in((args, kwargs)):
            return super().__call__(*args, training=training, **kwargs)
        return self.forward(*args, **kwargs)

    @explaining
    def forward(self, inputs: Any) -> torch.Tensor:
        texts = self._texts(inputs)
        rows = [self.vocabulary.lookup(tokens) for tokens in self._tokens(texts)]
        result = self._padded(rows) if self.output_mode == "int" else self._counted(rows)
        return result[0] if texts.ndim == 0 else result

    def _texts(self, value: Any) -> np.ndarray:
        """Texts in an array, those in bytes decoded."""
        if isinstance(value, torch.Tensor):
            raise UserError(self.where, "a tensor of numbers", "texts", "Pass a list or an array of texts.")
        texts: Any = np.asarray(value, dtype=object)
        found = [decoded(self.where, one, self.encoding) for one in texts.reshape(-1)]
        wrong = [one for one in found if not isinstance(one, str)]
        if wrong:
            raise UserError(self.where, f"{wrong[0]!r} among the texts", "texts", "Pass a list or an array of texts.")
        texts = np.array(found, dtype=object).reshape(texts.shape)
        if self.split is None:
            return texts
        if texts.ndim > 1 and texts.shape[-1] != 1:
            needs = "(N,) or (N, 1)"
            raise UserError(self.where, f"texts of shape {texts.shape}", needs, "Pass split=None for tokens.")
        return texts.reshape(-1) if texts.ndim else texts

    def _tokens(self, texts: np.ndarray) -> list[list[str]]:
        """The tokens of each text; where nothing is split, those of each row."""
        if callable(self.standardize):
            texts = np.asarray(self.standardize(texts.astype(str)), dtype=object).reshape(texts.shape)
        elif self.standardize is not None:
            table = STANDARDS[self.standardize]
            changed = [text.translate(table) for text in texts.reshape(-1)]
            texts = np.array(changed, dtype=object).reshape(texts.shape)
        if callable(self.split):
            rows = [[str(token) for token in tokens] for tokens in self.split(texts.reshape(-1).astype(str))]
        elif self.split is not None:
            split = SPLITS[self.split]
            rows = [split(text) for text in texts.reshape(-1)]
        else:
            rows = [list(row) if texts.ndim > 1 else [row] for row in (texts if texts.ndim else [texts.item()])]
        return [self._joined(row) for row in rows]

    def _joined(self, tokens: list[str]) -> list[str]:
        """The tokens joined to n-grams."""
        if self.ngrams is None:
            return tokens
        widths = range(1, min(self.ngrams, len(tokens)) + 1) if is_int(self.ngrams) else self.ngrams
        return [" ".join(tokens[at : at + width]) for width in widths for at in range(len(tokens) - width + 1)]

    def _padded(self, rows: list[list[int]]) -> torch.Tensor:
        length = self.output_sequence_length
        length = max(map(len, rows), default=0) if length is None else length
        return torch.tensor([row[:length] + [0] * (length - len(row)) for row in rows], dtype=torch.int64).reshape(
            len(rows), length
        )

    def _counted(self, rows: list[list[int]]) -> torch.Tensor:
        result = torch.zeros(len(rows), self._width(), dtype=torch.int64)
        for row, numbers in zip(result, rows, strict=True):
            row.index_add_(0, torch.tensor(numbers, dtype=torch.int64), torch.ones(len(numbers), dtype=torch.int64))
        if self.output_mode == "multi_hot":
            return result.clamp(max=1)
        return result * torch.from_numpy(self.vocabulary.weights) if self.output_mode == "tf_idf" else result

    def _width(self) -> int:
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        if not self.vocabulary.tokens and self._size:
            return self._size
        if not self.vocabulary.tokens:
            got = f"no vocabulary, with output_mode={self.output_mode!r}"
            raise UserError(self.where, got, "one, since it says how many numbers come out", "Call adapt first.")
        return len(self.vocabulary)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        if not is_shape(input_shape) or not input_shape:
            raise self.refuse_shape(input_shape, "(N,) or (N, 1)", "Call it on texts, not on a list of arrays.")
        if self.output_mode == "int":
            return (input_shape[0], self.output_sequence_length)
        return (input_shape[0], self._width())

    def output_dtype(self, dtype: str) -> str:
        return self.dtype if self.output_mode == "tf_idf" else "int64"

    def config(self) -> dict[str, Any]:
        for name in ("standardize", "split"):
            if callable(getattr(self, name)):
                needs = "one known by name, since files carry no code"
                raise UserError(
                    self.where, f"a function as {name}", needs, "Save the vocabulary (get_vocabulary) alone."
                )
        vocabulary, weights = self.given if self.given and self.in_config else (None, None)
        names = ("max_tokens", "standardize", "split", "ngrams", "output_mode", "output_sequence_length")
        return {
            **{name: getattr(self, name) for name in names},
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "sparse": False,
            "ragged": False,
            "vocabulary": None if vocabulary is None else self._plain(vocabulary),
            "idf_weights": None if weights is None else np.asarray(weights, "float64").tolist(),
            "encoding": self.encoding,
            "vocabulary_size": self.vocabulary_size(),
        }

    def _plain(self, vocabulary: Any) -> list[str]:
        return [str(decoded(self.where, token)) for token in np.atleast_1d(vocabulary)]

    @property
    def in_config(self) -> bool:
        """Whether files hold the vocabulary in the config, not in a text file beside it."""
        return self.given is not None and not isinstance(self.given[0], str)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TextVectorization":
        if isinstance(config.get("vocabulary"), str):
            where = f"TextVectorization {config.get('name')!r}"
            needs = "the tokens themselves: files do not lead to other files"
            got = f"vocabulary={config['vocabulary']!r} in a config"
            raise UserError(where, got, needs, "Save the model again with the tokens in it.")
        return cls(**config)


def _choice(where: str, argument: str, value: Any, choices: Iterable[str]) -> Any:
    """One of the names, a function, or None."""
    return value if value is None or callable(value) else check_choice(where, argument, value, choices)
