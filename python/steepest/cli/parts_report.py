"""What `steepest fit` says of a table that is read in parts."""

from __future__ import annotations

from collections.abc import Iterator

from .parts_problem import PartsProblem

__all__ = ["rows_lines"]


def rows_lines(problem: PartsProblem) -> Iterator[str]:
    """Yield the lines on the rows and the columns of a problem."""
    stream, fractions, seed = problem.stream, problem.fractions, problem.options.random_state
    n_parts = len(stream.sizes)
    parts = f"{n_parts:,} part{'' if n_parts == 1 else 's'}"
    yield f"{stream.n_samples:,} rows read in {parts}, {problem.streaming.why}"
    held = [
        f"a random {fractions[name]:.3g} of each part {purpose}"
        for name, purpose in (("validation", "chooses the epoch"), ("test", "is held out to test the model"))
        if fractions[name]
    ]
    yield f"{'; '.join(held)} (by --random-state {seed})" if held else "no rows are held out to test the model"
    if problem.validation is not None:
        yield f"{len(problem.validation.y):,} rows of {problem.validation_name} choose the epoch"
    yield from problem.notes
    columns, features = problem.encoder.n_features_in_, problem.encoder.n_features
    sparse = f", sparse: {stream.n_elements:,} numbers are not 0" if stream.is_sparse else ""
    yield f"{columns:,} column{'s' if columns > 1 else ''}, {features:,} feature{'s' if features > 1 else ''}{sparse}"
    yield "after the fit, one more pass measures the model; the AUC would need all rows at once"
