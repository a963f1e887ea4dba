// The page "Rate, momentum and batch size": a line fitted to 32 points, and the path of descent over its error surface.
"use strict";

steepest.pages = steepest.pages ?? {};

steepest.pages.valley = (function () {
  const x = [1.61, 1.62, 1.03, 0.57, 0.11, 0.77, 0.82, 0.09, 0.1, 2.0, 1.3, 0.47, 0.87, 1.95, 1.8, 1.69,
    0.78, 0.99, 1.35, 0.12, 1.11, 0.54, 1.76, 0.13, 1.36, 1.74, 0.45, 1.79, 1.74, 0.04, 1.41, 0.0];
  const y = [4.2, 4.06, 2.43, 1.9, 0.57, 1.73, 2.77, 0.51, 1.9, 5.43, 2.4, 2.1, 2.08, 4.92, 4.63, 3.19,
    2.42, 2.83, 4.28, 0.53, 3.66, 1.42, 4.32, 0.76, 4.59, 4.82, 3.36, 4.97, 4.99, 1.58, 3.46, 0.96];
  const objective = steepest.leastSquares(x, y), steepestCurvature = objective.eigenvalues()[1];
  const best = minimum(), lowest = objective.value(best);
  const scale = steepest.draw.scaleOf([[-1.5, 5.5], [-2.5, 4]], { x: 44, y: 26, width: 310, height: 288 });
  const ground = steepest.draw.ground(objective.value, scale, { labels: ["slope", "b"] });
  const sizes = [1, 2, 4, 8, 16, 32], epochs = 30;

  // Where the gradient is zero: two linear equations, solved by their determinant.
  function minimum() {
    const [c, d] = objective.gradient([0, 0]), [a, b] = objective.gradient([1, 0]).map((g, i) => g - [c, d][i]);
    const e = objective.gradient([0, 1])[1] - d, determinant = a * e - b * b;
    return [(b * d - e * c) / determinant, (b * c - a * d) / determinant];
  }

  const rate = (state) => Number((10 ** state.logRate).toPrecision(3));
  const batchSize = (state) => sizes[state.size];

  function path(state) {
    const settings = { rate: rate(state), momentum: state.momentum };
    const plan = { epochs, batchSize: batchSize(state), randomState: state.randomState };
    return steepest.descend(objective, "momentum", settings, state.start, plan);
  }

  function panels(state) {
    const points = path(state), drawn = steepest.draw.line(points, scale);
    const dots = points.length > 60 ? "" :
      points.slice(1, -1).map((point) => steepest.draw.mark("step one", point, scale)).join("");
    const excess = points.map((point) => objective.value(point) - lowest);
    const box = { x: 44, y: 26, width: 310, height: 288 };
    const curves = steepest.draw.curves([{ values: excess, colour: "one" }], box,
      { bottom: 1e-6, top: 100, last: epochs, labels: ["epoch", "loss above the lowest"] });
    return [
      ground + `<text class="label" x="44" y="18">intercept b over slope</text><path class="run one" d="${drawn}"/>` + dots +
        steepest.draw.mark("star", best, scale) + steepest.draw.mark("ring", points[0], scale) +
        steepest.draw.mark("dot one", points.at(-1), scale),
      curves,
    ];
  }

  function says(state) {
    const points = path(state), end = objective.value(points.at(-1)) - lowest;
    const bound = (2 * (1 + state.momentum)) / steepestCurvature;
    const limit = `With this momentum, descent on all 32 rows is stable below a rate of ${bound.toPrecision(3)}.`;
    if (!(end < 1e3)) return `The run diverges. ${limit}`;
    return `${points.length - 1} steps in ${epochs} epochs. The loss ends ${end < 1e-12 ? "less than 1e-12" : end.toPrecision(2)} ` +
      `above the lowest, ${lowest.toPrecision(3)}. ${limit}`;
  }

  return {
    initial: { logRate: Math.log10(0.1), momentum: 0.8, size: 5, randomState: 0, start: [4.5, -1.5] },
    titles: ["Level curves of the mean squared error of a line, and the path of descent from a ring to a dot. A star marks the minimum.",
      "The loss above the lowest one over 30 epochs, on a log axis."],
    controls: [
      { kind: "range", key: "logRate", label: "Learning rate", min: -3, max: 0, step: 0.01, show: (state) => rate(state) },
      { kind: "range", key: "momentum", label: "Momentum", min: 0, max: 0.99, step: 0.01, show: (state) => state.momentum },
      { kind: "range", key: "size", label: "Batch size", min: 0, max: 5, step: 1,
        show: (state) => batchSize(state) === 32 ? "32 (all rows)" : batchSize(state) },
      { kind: "range", key: "randomState", label: "Order of the rows (random_state)", min: 0, max: 5, step: 1,
        show: (state) => state.randomState },
    ],
    // A pointer that is dragged over the first panel moves the start.
    drag(state, { panel, at }) {
      if (panel !== 0) return;
      const [[left, right], [bottom, top]] = scale.window, [a, b] = scale.fromPixels(at);
      state.start = [Math.min(Math.max(a, left), right), Math.min(Math.max(b, bottom), top)];
    },
    x, y, epochs, rate, batchSize, path, panels, says, scale,
  };
})();
