"""TextVectorization. Keras's needs TensorFlow; scikit-learn counts the same, and Keras's source says the rest."""

import json
import math
import zipfile

import h5py
import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer

from striate.data import Dataset
from striate.foundation.checks import UnsupportedError, UserError
from striate.layers import Dense, Embedding, GlobalAveragePooling1D, Input, TextVectorization
from striate.models import Model, Sequential, load_model

TEXTS = [
    "The cat sat on the mat.",
    "A dog, a CAT and a bird!",
    "On the mat:\tthe dog\n sat down",
    "",
    "birds don't sit; they   fly - they fly",
]
RNG = np.random.default_rng(0)


def adapted(texts=TEXTS, **arguments):
    layer = TextVectorization(**arguments)
    layer.adapt(texts)
    return layer


def sklearn_counts(texts=TEXTS, **options):
    """Counts by token, of scikit-learn, which does the standardizing as it is told."""
    strip = str.maketrans("", "", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    counter = CountVectorizer(preprocessor=lambda text: text.lower().translate(strip), token_pattern=r"\S+", **options)
    return counter.fit_transform(texts).toarray(), list(counter.get_feature_names_out())


def test_the_published_examples():
    """Of the docstring of Keras's layer."""
    layer = TextVectorization(max_tokens=5000, output_mode="int", output_sequence_length=4)
    layer.adapt(["foo bar", "bar baz", "baz bada boom"])
    assert layer([["foo qux bar"], ["qux baz"]]).tolist() == [[4, 1, 3, 0], [1, 2, 0, 0]]
    words = ["earth", "wind", "and", "fire"]
    layer = TextVectorization(max_tokens=5000, output_sequence_length=4, vocabulary=words)
    assert layer.get_vocabulary() == ["", "[UNK]", *words]
    assert layer.get_vocabulary(include_special_tokens=False) == words
    assert layer.vocabulary_size() == 6
    assert layer.name.startswith("text_vectorization")


@pytest.mark.parametrize("ngrams", [None, 1, 2, 3, (2,), (1, 3), (3, 2)])
@pytest.mark.parametrize("mode", ["count", "multi_hot", "tf_idf"])
def test_counts_are_those_of_scikit_learn(mode, ngrams):
    layer = adapted(output_mode=mode, ngrams=ngrams)
    widths = ngrams if isinstance(ngrams, tuple) else range(1, (ngrams or 1) + 1)
    columns = {}
    for width in widths:
        counts, names = sklearn_counts(ngram_range=(width, width))
        columns |= dict(zip(names, counts.T, strict=True))
    tokens = layer.get_vocabulary()
    assert tokens[0] == "[UNK]"
    assert sorted(tokens[1:]) == sorted(columns)
    expected = np.stack([columns[token] for token in tokens[1:]], 1)
    weights = np.log(1 + len(TEXTS) / (1 + (expected > 0).sum(0)))
    expected = {"count": expected, "multi_hot": expected > 0, "tf_idf": expected * weights}[mode]
    got = layer(TEXTS)
    assert got.dtype == (torch.float32 if mode == "tf_idf" else torch.int64)
    np.testing.assert_allclose(got[:, 1:].numpy(), expected, rtol=1e-6)
    assert not got[:, 0].any()
    unknown = layer(["nothing of this kind"])[0, 0].item()
    count = sum(max(4 - width + 1, 0) for width in widths)
    assert unknown == pytest.approx({"count": count, "multi_hot": 1, "tf_idf": count * weights.mean()}[mode])


def test_the_commonest_tokens_come_first_and_equals_from_the_last_to_the_first():
    counts, names = sklearn_counts()
    order = sorted(zip(counts.sum(0), names, strict=True), reverse=True)
    assert adapted().get_vocabulary() == ["", "[UNK]", *(name for _, name in order)]
    assert adapted(max_tokens=5).get_vocabulary() == ["", "[UNK]", *(name for _, name in order[:3])]
    assert adapted(max_tokens=5, output_mode="count").get_vocabulary() == ["[UNK]", *(n for _, n in order[:4])]
    assert adapted(["[UNK] a [UNK]"], standardize=None).get_vocabulary() == ["", "[UNK]", "a"]


@pytest.mark.parametrize(
    ("standardize", "expected"),
    [
        ("lower_and_strip_punctuation", "äÖ don\xa0t"),
        ("lower", "äÖ, d!on\xa0t"),
        ("strip_punctuation", "äÖ DoN\xa0T"),
        (None, "äÖ, D!oN\xa0T"),
    ],
)
def test_only_letters_punctuation_and_space_of_ascii_are_touched(standardize, expected):
    layer = adapted(["äÖ, D!oN\xa0T"], standardize=standardize)
    assert sorted(layer.get_vocabulary()[2:]) == sorted(expected.split(" "))


def test_functions_of_ones_own():
    layer = TextVectorization(
        standardize=lambda texts: np.char.replace(texts, "-", " "),
        split=lambda texts: [text.split("/") for text in texts],
        vocabulary=["a b", "c"],
        name="mine",
    )
    assert layer(["a-b/c", "c"]).tolist() == [[2, 3], [3, 0]]
    with pytest.raises(UserError, match=r"'mine' got a function as standardize; it needs one known by name, since"):
        layer.get_config()


def test_splits():
    assert adapted(["ab ba"], split="character").get_vocabulary() == ["", "[UNK]", "b", "a", " "]
    whole = TextVectorization(split=None, vocabulary=["one two", "three"])
    assert whole([["one two", "three"], ["three", "x"]]).tolist() == [[2, 3], [3, 1]]
    assert whole(["one two", "three"]).tolist() == [[2], [3]]
    rows = TextVectorization(split=None, vocabulary=["one", "two"], output_mode="count")
    assert rows([["one", "one"], ["two", "x"]]).tolist() == [[0, 2, 0], [1, 0, 1]]


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        [[t] for t in TEXTS],
        [t.encode() for t in TEXTS],
        tuple(TEXTS),
    ],
    ids=["list", "array", "objects", "column", "bytes", "tuple"],
)
def test_texts_come_in_many_forms(texts):
    expected = adapted()(TEXTS)
    assert expected.shape == (5, 7)
    assert torch.equal(adapted(texts)(texts), expected)


def test_one_text():
    layer = TextVectorization(vocabulary=["a", "b"])
    assert layer("b a x").tolist() == [3, 2, 1]
    assert TextVectorization(vocabulary=["a"], output_sequence_length=3)("a").tolist() == [2, 0, 0]
    assert TextVectorization(vocabulary=["a"], output_mode="count")("a a b").tolist() == [1, 2]
    assert layer([]).shape == (0, 0)
    assert layer([""]).shape == (1, 0)


def test_output_lengths():
    assert adapted(output_sequence_length=2)(TEXTS).shape == (5, 2)
    assert adapted(output_sequence_length=9)(TEXTS).shape == (5, 9)
    assert adapted(output_sequence_length=9).compute_output_shape((None, 1)) == (None, 9)
    assert adapted().compute_output_shape((None,)) == (None, None)
    padded = adapted(output_mode="tf_idf", max_tokens=40, pad_to_max_tokens=True)
    assert padded(TEXTS).shape == (5, 40)
    assert padded.compute_output_shape((None, 1)) == (None, 40)
    plain = adapted(output_mode="tf_idf")
    size = plain.vocabulary_size()
    assert torch.equal(padded(TEXTS)[:, :size], plain(TEXTS))
    assert not padded(TEXTS)[:, size:].any()
    assert plain.compute_output_shape((3, 1)) == (3, size)


def test_adapt_to_datasets_and_generators():
    expected = adapted().get_vocabulary()
    texts = Dataset.from_tensor_slices(TEXTS)
    pairs = Dataset.from_tensor_slices((TEXTS, [0, 1, 0, 1, 0])).batch(2)
    for data in (texts, texts.batch(2), pairs, (TEXTS[i : i + 2] for i in range(0, 5, 2))):
        assert adapted(data).get_vocabulary() == expected
    layer = TextVectorization()
    layer.adapt(texts.batch(2), steps=1)
    assert layer.get_vocabulary() == adapted(TEXTS[:2]).get_vocabulary()
    layer.adapt(TEXTS)
    assert layer.get_vocabulary() == expected
    weights = adapted(texts, output_mode="tf_idf")
    assert torch.equal(weights(TEXTS), adapted(output_mode="tf_idf")(TEXTS))


def test_in_the_map_of_a_dataset():
    layer = adapted(output_sequence_length=6)
    labels = [0, 1, 0, 1, 0]
    batches = Dataset.from_tensor_slices((TEXTS, labels)).batch(2).map(lambda text, label: (layer(text), label))
    single = Dataset.from_tensor_slices((TEXTS, labels)).map(lambda text, label: (layer(text), label)).batch(2)
    for dataset in (batches, single):
        assert torch.equal(torch.cat([x for x, _ in dataset]), layer(TEXTS))
    model = Sequential([Input((6,)), Embedding(40, 4), GlobalAveragePooling1D(), Dense(1)])
    model.compile("sgd", "mse")
    assert math.isfinite(model.fit(batches, verbose=0).history["loss"][0])


def test_vocabularies_from_files_and_with_special_tokens(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("earth\nwind\n", "utf-8")
    layer = TextVectorization(vocabulary=str(path))
    assert layer.get_vocabulary() == ["", "[UNK]", "earth", "wind"]
    assert layer.get_config()["vocabulary"] is None
    layer.set_vocabulary(["", "[UNK]", "fire"])
    assert layer.get_vocabulary() == ["", "[UNK]", "fire"]
    weighed = TextVectorization(output_mode="tf_idf", vocabulary=["a", "b"], idf_weights=[0.5, 1.5])
    assert weighed(["a b b x"]).tolist() == [[1.0, 0.5, 3.0]]
    weighed.set_vocabulary(["[UNK]", "a"], idf_weights=[0.25, 4])
    assert weighed(["a b b x"]).tolist() == [[0.75, 4.0]]


def make(**arguments):
    return TextVectorization(name="mine", **arguments)


@pytest.mark.parametrize(
    ("do", "text"),
    [
        (
            lambda: make(max_tokens=1),
            r"^TextVectorization 'mine' got max_tokens=1; it needs a whole number of at least 2",
        ),
        (lambda: make(standardize="uper"), r"got standardize='uper'; it needs one of 'lower_and_strip_punctuation'"),
        (lambda: make(split=" "), r"got split=' '; it needs one of 'whitespace', 'character'"),
        (lambda: make(ngrams=0), r"got ngrams=0; it needs a positive whole number, a tuple of them, or None\. Pass"),
        (lambda: make(output_mode="onehot"), r"got output_mode='onehot'; it needs one of 'int', 'multi_hot'"),
        (
            lambda: make(output_mode="one_hot"),
            r"got output_mode='one_hot'; it needs one of 'int', 'multi_hot', 'count', 'tf",
        ),
        (
            lambda: make(output_mode="count", output_sequence_length=3),
            r"got output_sequence_length=3 and output_mode='count'; it needs output_mode='int' with it\. Leave",
        ),
        (lambda: make(pad_to_max_tokens=True), r"got pad_to_max_tokens=True; it needs max_tokens with it\. Say"),
        (lambda: make(ragged=True), r"^TextVectorization got ragged=True; it needs ragged=False: striate does not"),
        (lambda: make(idf_weights=[1.0]), r"got idf_weights without vocabulary; it needs both\. Pass vocabulary"),
        (lambda: make(vocabulary=["a", "a"]), r"set_vocabulary got 'a' twice; it needs every token once\. Leave"),
        (lambda: make(vocabulary=["a", ""]), r"got the token ''; it needs tokens that are not empty"),
        (lambda: make(vocabulary=[]), r"got no tokens; it needs at least one\. Call adapt"),
        (lambda: make(max_tokens=3, vocabulary=["a", "b"]), r"got 2 tokens beside .*; it needs at most max_tokens=3"),
        (lambda: make(vocabulary="/nowhere"), r"got the file '/nowhere' \(.*\); it needs a UTF-8 text file\. Check"),
        (
            lambda: make(vocabulary=["a"], output_mode="tf_idf"),
            r"got no idf_weights; it needs idf_weights with output_",
        ),
        (lambda: make(vocabulary=["a"], idf_weights=[1]), r"got idf_weights; it needs idf_weights with output_mode="),
        (
            lambda: make(vocabulary=["a"], output_mode="tf_idf", idf_weights=[1, 2]),
            r"got idf_weights of shape \(2,\) for 1 tokens; it needs one for each token\. Make",
        ),
        (lambda: make(vocabulary=["a"]).adapt(["b"]), r"adapt got texts for a layer that was given its vocabulary"),
        (lambda: make().adapt("abc"), r"adapt got a str; it needs texts, or batches of them\. Pass a list of texts"),
        (lambda: make().adapt([]), r"adapt got no texts; it needs at least one\. Pass data that is not used up"),
        (lambda: make().adapt([1, 2]), r"got 1 among the texts; it needs texts\. Pass a list or an array of texts"),
        (lambda: make()(torch.ones(2)), r"got a tensor of numbers; it needs texts\. Pass a list or an array of texts"),
        (lambda: make()([["a", "b"]]), r"got texts of shape \(1, 2\); it needs \(N,\) or \(N, 1\)\. Pass split=None"),
        (lambda: make(output_mode="count")(["a"]), r"got no vocabulary, with output_mode='count'; it needs one, since"),
        (
            lambda: TextVectorization.from_config({"vocabulary": "/etc/passwd", "name": "mine"}),
            r"got vocabulary='/etc/passwd' in a config; it needs the tokens themselves: files do not lead to other",
        ),
    ],
)
def test_refused(do, text):
    with pytest.raises(UserError, match=text) as caught:
        do()
    assert isinstance(caught.value, UnsupportedError) == ("one_hot" in text or "ragged" in text)


# In models and their files ---------------------------------------------------------------------------


def network(mode, **arguments):
    layer = adapted(output_mode=mode, name="words", **arguments)
    start = [Embedding(40, 3, name="rows"), GlobalAveragePooling1D()] if mode == "int" else []
    return Sequential([Input((1,), dtype="string", name="text"), layer, *start, Dense(2, name="last")])


MODES = [("int", {}), ("int", {"output_sequence_length": 4}), ("count", {"ngrams": 2}), ("multi_hot", {})]
MODES += [("tf_idf", {}), ("tf_idf", {"max_tokens": 40, "pad_to_max_tokens": True})]


@pytest.mark.parametrize(("mode", "arguments"), MODES)
def test_models_take_texts_and_files_keep_the_vocabulary(mode, arguments, tmp_path):
    model = network(mode, **arguments)
    texts = np.array(TEXTS)
    expected = model(texts)
    inner = model.layers[1:]
    x = model.layers[0](TEXTS)
    for layer in inner:
        x = layer(x)
    torch.testing.assert_close(expected, x)
    torch.testing.assert_close(model(texts[:, None]), expected)
    torch.testing.assert_close(model(TEXTS), expected)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    torch.testing.assert_close(loaded(texts), expected, rtol=0, atol=0)
    assert loaded.get_layer("words").get_vocabulary() == model.get_layer("words").get_vocabulary()
    assert loaded.get_layer("words").get_config() == model.get_layer("words").get_config()
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        words = archive.read("assets/layers/text_vectorization/vocabulary.txt").decode()
        assert words == archive.read("assets/layers/text_vectorization/_lookup_layer/vocabulary.txt").decode()
        assert words.split("\n") == model.get_layer("words").get_vocabulary()
        with archive.open("model.weights.h5") as file, h5py.File(file) as weights:
            kept = weights["layers/text_vectorization/vars"]
            assert list(kept) == (["idf_weights"] if mode == "tf_idf" else [])
    assert model.double()(texts).dtype == torch.float64


def test_a_given_vocabulary_is_in_the_config(tmp_path):
    layer = TextVectorization(vocabulary=["a", "b"], output_mode="tf_idf", idf_weights=[0.5, 2.0], name="words")
    model = Model(x := Input((1,), dtype="string"), Dense(2)(layer(x)))
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert not any(name.startswith("assets") for name in archive.namelist())
    torch.testing.assert_close(loaded(["a b", "c"]), model(["a b", "c"]), rtol=0, atol=0)


@pytest.mark.parametrize("damage", ["missing", "twice", "bytes", "path"])
def test_damaged_vocabularies_are_refused(damage, tmp_path):
    network("int").save(tmp_path / "good.keras")
    with zipfile.ZipFile(tmp_path / "good.keras") as good, zipfile.ZipFile(tmp_path / "bad.keras", "w") as bad:
        for name in good.namelist():
            data = good.read(name)
            if name.endswith("text_vectorization/vocabulary.txt"):
                if damage == "missing":
                    continue
                data = {"twice": b"\n[UNK]\na\na", "bytes": b"\n[UNK]\n\xff"}.get(damage, data)
            if name == "config.json" and damage == "path":
                config = json.loads(data)
                config["config"]["layers"][1]["config"]["vocabulary"] = "/etc/passwd"
                data = json.dumps(config).encode()
            bad.writestr(name, data)
    text = {"missing": "got no 'assets", "twice": "got 'a' twice", "bytes": "no UTF-8", "path": "do not lead to other"}
    with pytest.raises(UserError, match=rf"^Model file '.*bad.keras'.*{text[damage]}"):
        load_model(tmp_path / "bad.keras")


def test_a_token_of_two_lines_is_not_saved(tmp_path):
    model = Sequential([Input((1,), dtype="string"), adapted(["a\nb"], split=None, name="words")])
    with pytest.raises(UserError, match=r"'words' got the token 'a\\nb' to save; it needs tokens of one line\. Pass"):
        model.save(tmp_path / "model.keras")
    assert not (tmp_path / "model.keras").exists()


def test_a_number_where_a_model_takes_texts_is_refused():
    with pytest.raises(
        UserError, match=r"Input 'text' got a tensor of numbers; it needs texts \(dtype='string'\)\. Pass"
    ):
        network("int")(np.ones((2, 1), "float32"))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: TextVectorization(vocabulary={"a", "b"}),
            r"got tokens in a set; it needs a list or an array of texts",
        ),
        (lambda: TextVectorization(vocabulary={"a": 1}), r"got tokens in a dict; .* Pass for example sorted\(tokens\)"),
        (lambda: TextVectorization(vocabulary=7), r"got tokens in a int; it needs a list or an array of texts"),
        (lambda: TextVectorization(vocabulary=["a", None]), r"got the token None; it needs texts. Leave it out"),
        (lambda: TextVectorization(vocabulary=["a"])(["a", None]), r"got None among the texts; it needs texts"),
        (lambda: TextVectorization().adapt([b"\xff"]), r"got b'\\xff'; it needs texts in utf-8. Say their encoding"),
    ],
)
def test_what_is_no_text_is_refused(make, text):
    with pytest.raises(UserError, match=text):
        make()


def test_tokens_in_bytes_are_decoded():
    layer = TextVectorization(vocabulary=np.array(["größe".encode(), b"a"]))
    assert layer.get_vocabulary() == ["", "[UNK]", "größe", "a"]
    assert layer.get_config()["vocabulary"] == ["größe", "a"]


def test_ngrams_are_at_most_as_long_as_the_text():
    assert adapted(["b a"], ngrams=2**40).get_vocabulary() == ["", "[UNK]", "b a", "b", "a"]
