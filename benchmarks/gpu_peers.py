"""The peers of gpu_first.py on a GPU: torch step by step and as CUDA graphs, CuPy, and cuML's sequence of kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gpu_arrays import Array, usable

Answer = tuple[float, Callable[[], Array]]  # the value, and what copies the gradient to the host
GradientCall = Callable[[], Answer]
Call = Callable[[], object]


class Peer(Protocol):
    """A contender; a method returns None where the contender has no such case."""

    def gradient(self, X: Any, y: Any, w: Array) -> GradientCall | None:
        """Make a call that returns the value and the gradient of the mean logistic loss."""

    def steps(self, X: Any, y: Any, batch: int, n: int, rate: float) -> Call | None:
        """Make a call that takes `n` mini-batch steps of Adam over shuffled rows."""

    def update(self, w: Any, g: Any, rate: float) -> Call | None:
        """Make a call that takes a step of Adam whose gradient is given."""

    def fit(self, X: Any, y: Any, alpha: float, norm: float) -> Call | None:
        """Make a call that minimises the logistic loss with an L2 penalty until the gradient has this norm."""


class Nothing:
    """A contender without cases."""

    def gradient(self, X: Any, y: Any, w: Array) -> GradientCall | None:
        """Have no gradient."""
        return None

    def steps(self, X: Any, y: Any, batch: int, n: int, rate: float) -> Call | None:
        """Have no steps."""
        return None

    def update(self, w: Any, g: Any, rate: float) -> Call | None:
        """Have no update."""
        return None

    def fit(self, X: Any, y: Any, alpha: float, norm: float) -> Call | None:
        """Have no fit."""
        return None


class Torch(Nothing):
    """torch, an operation at a time."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def parts(self, X: Any, y: Any, w: Array) -> Callable[[], tuple[Any, Any, Any]]:
        """Make a function of value, gradient and the intercept's gradient, all on the device: two passes over X."""
        torch, functional = self.torch, self.torch.nn.functional
        coef, bias = torch.from_numpy(w[:-1].copy()).to(X.device, X.dtype), float(w[-1])

        def compute() -> tuple[Any, Any, Any]:
            z = torch.mv(X, coef).float() + bias
            slope = (torch.sigmoid(z) - y) / len(y)
            value = functional.binary_cross_entropy_with_logits(z, y)
            return value, torch.mv(X.T, slope.to(X.dtype)), slope.sum()

        return compute

    def gradient(self, X: Any, y: Any, w: Array) -> GradientCall | None:
        """Make a call of the two passes; the value comes to the host, as ours does."""
        compute = self.parts(X, y, w)
        return lambda: answer(self.torch, *compute())

    def model(self, X: Any) -> Any:
        """Make a linear layer of zeros."""
        model = self.torch.nn.Linear(X.shape[1], 1, device=X.device)
        self.torch.nn.init.zeros_(model.weight)
        self.torch.nn.init.zeros_(model.bias)
        return model

    def steps(self, X: Any, y: Any, batch: int, n: int, rate: float) -> Call | None:
        """Take the steps of the usual loop, all of it on the device."""
        torch, loss = self.torch, self.torch.nn.functional.binary_cross_entropy_with_logits
        model = self.model(X)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=X.is_cuda or None)
        order = torch.randperm(len(y), device=X.device)

        def run() -> None:
            for k in range(n):
                rows = order[k * batch : (k + 1) * batch]
                optimizer.zero_grad()
                loss(model(X[rows]).squeeze(1), y[rows]).backward()
                optimizer.step()

        return run

    def update(self, w: Any, g: Any, rate: float) -> Call | None:
        """Take a step of torch's fused Adam."""
        parameter = self.torch.nn.Parameter(w.clone())
        parameter.grad = g.clone()
        step: Call = self.torch.optim.Adam([parameter], lr=rate, fused=w.is_cuda or None).step
        return step

    def fit(self, X: Any, y: Any, alpha: float, norm: float) -> Call | None:
        """Minimise by torch's L-BFGS over all rows."""
        torch, loss = self.torch, self.torch.nn.functional.binary_cross_entropy_with_logits

        def run() -> None:
            model = self.model(X)
            optimizer = torch.optim.LBFGS(
                model.parameters(), max_iter=1000, history_size=10, tolerance_grad=norm, tolerance_change=0.0,
                line_search_fn="strong_wolfe",
            )  # fmt: skip

            def closure() -> Any:
                optimizer.zero_grad()
                value = loss(model(X).squeeze(1), y) + alpha / 2 * (model.weight**2).sum()
                value.backward()
                return value

            optimizer.step(closure)

        return run


class TorchGraph(Torch):
    """torch, its operations captured once in a CUDA graph and replayed."""

    def capture(self, compute: Callable[[], Any]) -> tuple[Any, Any]:
        """Capture a graph after the three runs that torch asks for; return it and what it computes."""
        torch = self.torch
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                compute()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = compute()
        return graph, result

    def gradient(self, X: Any, y: Any, w: Array) -> GradientCall | None:
        """Replay the two passes."""
        graph, parts = self.capture(self.parts(X, y, w))

        def run() -> Answer:
            graph.replay()
            return answer(self.torch, *parts)

        return run

    def steps(self, X: Any, y: Any, batch: int, n: int, rate: float) -> Call | None:
        """Replay a step; the numbers of its rows are copied before each."""
        torch, loss = self.torch, self.torch.nn.functional.binary_cross_entropy_with_logits
        model = self.model(X)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True, capturable=True)
        order = torch.randperm(len(y), device=X.device)
        rows = order[:batch].clone()

        def step() -> None:
            optimizer.zero_grad(set_to_none=False)
            loss(model(X[rows]).squeeze(1), y[rows]).backward()
            optimizer.step()

        graph, _ = self.capture(step)

        def run() -> None:
            for k in range(n):
                chosen = order[k * batch : (k + 1) * batch]
                rows[: len(chosen)].copy_(chosen)
                graph.replay()

        return run

    def update(self, w: Any, g: Any, rate: float) -> Call | None:
        """Replay a step of Adam."""
        parameter = self.torch.nn.Parameter(w.clone())
        parameter.grad = g.clone()
        graph, _ = self.capture(self.torch.optim.Adam([parameter], lr=rate, fused=True, capturable=True).step)
        replay: Call = graph.replay
        return replay

    def fit(self, X: Any, y: Any, alpha: float, norm: float) -> Call | None:
        """Have no fit: a line search cannot be captured."""
        return None


class CuPy(Nothing):
    """CuPy, an operation at a time, with the products of cuBLAS; float32 alone."""

    def __init__(self, torch: Any, cupy: Any) -> None:
        self.torch, self.cupy = torch, cupy

    def arrays(self, X: Any, y: Any, w: Array) -> tuple[Any, Any, Any]:
        """Look at the tensors as arrays of CuPy."""
        return self.cupy.from_dlpack(X), self.cupy.from_dlpack(y), self.cupy.asarray(w)

    def gradient(self, X: Any, y: Any, w: Array) -> GradientCall | None:
        """Make a call of the two passes as NumPy users write them."""
        if X.dtype != self.torch.float32:
            return None
        cupy = self.cupy
        features, targets, here = self.arrays(X, y, w)

        def run() -> Answer:
            z = features @ here[:-1] + here[-1]
            value = (cupy.log1p(cupy.exp(-abs(z))) + cupy.maximum(z, 0) - targets * z).mean()
            slope = (1 / (1 + cupy.exp(-z)) - targets) / len(targets)
            found = features.T @ slope, slope.sum()
            return float(value), lambda: cupy.asnumpy(cupy.append(*found))

        return run


class CumlSequence(CuPy):
    """What cuML's quasi-Newton launches for one evaluation, written in CuPy.

    A product of cuBLAS for the scores, a kernel of the loss and its sum, a kernel of the slopes, a product for the
    gradient, the sum for the intercept; the host waits for the loss.
    """

    def gradient(self, X: Any, y: Any, w: Array) -> GradientCall | None:
        """Make a call of that sequence."""
        if X.dtype != self.torch.float32:
            return None
        cupy = self.cupy
        features, targets, here = self.arrays(X, y, w)
        losses = cupy.ReductionKernel(
            "T z, T y, T b", "T total", "log1p(exp(-fabs(z + b))) + max(z + b, (T)0) - y * (z + b)", "a + b",
            "total = a", "0", "steepest_losses",
        )  # fmt: skip
        slopes = cupy.ElementwiseKernel(
            "T z, T y, T b, T n", "T slope", "slope = ((T)1 / ((T)1 + exp(-(z + b))) - y) / n", "steepest_slopes"
        )
        n, bias = len(targets), here[-1]

        def run() -> Answer:
            z = features @ here[:-1]
            value = float(losses(z, targets, bias)) / n
            slope = slopes(z, targets, bias, here.dtype.type(n))
            found = features.T @ slope, slope.sum()
            return value, lambda: cupy.asnumpy(cupy.append(*found))

        return run


def answer(torch: Any, value: Any, gradient: Any, slope: Any) -> Answer:
    """Bring the value of tensors to the host, and the gradient when it is asked for."""
    return float(value), lambda: torch.cat([gradient.double(), slope.double().reshape(1)]).cpu().numpy()


def peers(torch: Any) -> Mapping[str, Peer]:
    """List the contenders that are there; all of them need torch, which holds the data."""
    if torch is None:
        return {}
    found: dict[str, Peer] = {"torch": Torch(torch), "torch graph": TorchGraph(torch)}
    if cupy := usable("cupy"):
        found |= {"cupy": CuPy(torch, cupy), "cuml's kernels": CumlSequence(torch, cupy)}
    return found
