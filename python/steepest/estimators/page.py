"""The HTML of an estimator in notebooks: scikit-learn's, and after a fit its outcome and loss curve."""

from __future__ import annotations

from typing import Any

from ..descent.picture import curve_svg, rows_html

__all__ = ["Page"]


class Page:
    """Adds the outcome of a fit to scikit-learn's HTML. It stands before BaseEstimator among the bases."""

    history_: Any
    n_iter_: Any
    stop_reason_: Any

    def _html_repr(self) -> str:
        html: str = super()._html_repr()  # type: ignore[misc]
        if not hasattr(self, "history_"):
            return html
        if isinstance(self.history_, list):  # one of each target
            reasons = ", ".join(dict.fromkeys(self.stop_reason_))
            return f"<div>{html}{rows_html({'targets': str(len(self.history_)), 'stopped by': reasons})}</div>"
        outcome = {"stopped by": self.stop_reason_, "passes": f"{self.n_iter_:,}"}
        if diagnosis := getattr(self, "diagnosis_", ""):  # a pickle of version 0.1 has none
            outcome["diagnosis"] = diagnosis
        return f"<div>{html}{rows_html(outcome)}{curve_svg(self.history_)}</div>"
