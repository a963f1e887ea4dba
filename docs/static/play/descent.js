// Gradient descent in the page: the update rules, objectives and order of rows of the library, in plain JavaScript.
// Nothing here touches the page, so that any JavaScript engine can run it. tests/test_play.py compares each function
// with steepest.reference and with steepest.minimize.
"use strict";

var steepest = globalThis.steepest ?? {};
globalThis.steepest = steepest;

// Update rules. Each takes parameters w, their gradient g, its own state (empty before the first step) and the number t
// of this step (1, 2, ...), and returns the parameters after the step.
steepest.rules = {
  gradientDescent(w, g, state, t, { rate }) {
    return w.map((value, i) => value - rate * g[i]);
  },

  momentum(w, g, state, t, { rate, momentum = 0.9, nesterov = false }) {
    const old = state.velocity ?? w.map(() => 0);
    const v = old.map((value, i) => momentum * value + g[i]);
    state.velocity = v;
    return w.map((value, i) => value - rate * (nesterov ? g[i] + momentum * v[i] : v[i]));
  },

  adagrad(w, g, state, t, { rate, epsilon = 1e-10 }) {
    const old = state.squares ?? w.map(() => 0);
    state.squares = old.map((value, i) => value + g[i] * g[i]);
    return w.map((value, i) => value - scaledRate(rate, Math.sqrt(state.squares[i]) + epsilon) * g[i]);
  },

  rmsprop(w, g, state, t, { rate, rho = 0.9, epsilon = 1e-8 }) {
    const old = state.squares ?? w.map(() => 0);
    state.squares = old.map((value, i) => rho * value + (1 - rho) * (g[i] * g[i]));
    return w.map((value, i) => value - scaledRate(rate, Math.sqrt(state.squares[i]) + epsilon) * g[i]);
  },

  adam(w, g, state, t, { rate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }) {
    const mean = state.mean ?? w.map(() => 0), squares = state.squares ?? w.map(() => 0);
    state.mean = mean.map((value, i) => beta1 * value + (1 - beta1) * g[i]);
    state.squares = squares.map((value, i) => beta2 * value + (1 - beta2) * (g[i] * g[i]));
    const forMean = 1 - beta1 ** t, forSquares = 1 - beta2 ** t;
    return w.map((value, i) => {
      const below = Math.sqrt(state.squares[i] / forSquares) + epsilon;
      return value - scaledRate(rate, below) * (state.mean[i] / forMean);
    });
  },
};

// rate / below, or 0 where that is infinite: such a coordinate does not move. An infinite or NaN `below` gives NaN.
function scaledRate(rate, below) {
  const scaled = rate / below;
  return (below === 0 || Math.abs(scaled) === Infinity ? 0 : scaled) + (below - below);
}

// The mean of squared residuals of the line slope * x + intercept. `rows` are the rows of a mini-batch; without them
// the gradient is that of all rows.
steepest.leastSquares = function (x, y) {
  const residual = (w, i) => w[0] * x[i] + w[1] - y[i];
  const all = x.map((_, i) => i);
  return {
    nRows: x.length,
    value: (w) => all.reduce((sum, i) => sum + residual(w, i) ** 2, 0) / x.length,
    gradient(w, rows = all) {
      let slope = 0, intercept = 0;
      for (const i of rows) {
        slope += residual(w, i) * x[i];
        intercept += residual(w, i);
      }
      return [(2 * slope) / rows.length, (2 * intercept) / rows.length];
    },
    // The eigenvalues of the Hessian, the smaller one first.
    eigenvalues() {
      const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
      const [a, b, d] = [2 * mean(x.map((value) => value * value)), 2 * mean(x), 2];
      const root = Math.hypot((a - d) / 2, b);
      return [(a + d) / 2 - root, (a + d) / 2 + root];
    },
  };
};

// Surfaces of two parameters: their formulas, gradients, windows, starts and minima.
steepest.surfaces = {
  bowl: {
    name: "Bowl", formula: "(x\u00b2 + 3y\u00b2) / 2",
    value: ([x, y]) => (x * x + 3 * y * y) / 2,
    gradient: ([x, y]) => [x, 3 * y],
    window: [[-5, 5], [-4, 4]], start: [-4, 2.5], minima: [[0, 0]],
  },
  ravine: {
    name: "Ravine", formula: "(x\u00b2 + 25y\u00b2) / 2",
    value: ([x, y]) => (x * x + 25 * y * y) / 2,
    gradient: ([x, y]) => [x, 25 * y],
    window: [[-5, 5], [-2, 2]], start: [-4.5, 1.2], minima: [[0, 0]],
  },
  turned: {
    name: "Turned ravine", formula: "13x\u00b2/2 \u2212 12xy + 13y\u00b2/2",
    value: ([x, y]) => (13 * x * x - 24 * x * y + 13 * y * y) / 2,
    gradient: ([x, y]) => [13 * x - 12 * y, 13 * y - 12 * x],
    // The ravine's start, turned by 45 degrees.
    window: [[-4.5, 4.5], [-4.5, 4.5]], start: [-5.7 / Math.SQRT2, -3.3 / Math.SQRT2], minima: [[0, 0]],
  },
  saddle: {
    name: "Saddle", formula: "x\u00b2/2 \u2212 y\u00b2/2 + y\u2074/8",
    value: ([x, y]) => (x * x - y * y) / 2 + (y * y * y * y) / 8,
    gradient: ([x, y]) => [x, y * y * y / 2 - y],
    window: [[-3, 3], [-2.4, 2.4]], start: [-2.6, 0.01], minima: [[0, Math.SQRT2], [0, -Math.SQRT2]],
  },
  himmelblau: {
    name: "Four valleys (Himmelblau)", formula: "(x\u00b2 + y \u2212 11)\u00b2 + (x + y\u00b2 \u2212 7)\u00b2",
    value: ([x, y]) => (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
    gradient([x, y]) {
      const first = x * x + y - 11, second = x + y * y - 7;
      return [4 * x * first + 2 * second, 2 * first + 4 * y * second];
    },
    window: [[-5, 5], [-5, 5]], start: [-0.5, -1],
    minima: [[3, 2], [-2.805118086952745, 3.131312518250573], [-3.779310253377747, -3.283185991286170],
      [3.584428340330492, -1.848126526964404]],
  },
  rosenbrock: {
    name: "Banana (Rosenbrock)", formula: "(1 \u2212 x)\u00b2 + 100(y \u2212 x\u00b2)\u00b2",
    value: ([x, y]) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: ([x, y]) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
    window: [[-2, 2], [-1, 3]], start: [-1.5, 2], minima: [[1, 1]],
  },
};

// SplitMix64 (Steele, Lea and Flood, 2014): the next of a sequence of 64-bit integers.
function randomBits(start) {
  const wrap = (value) => BigInt.asUintN(64, value);
  let state = start;
  return () => {
    state = wrap(state + 0x9e3779b97f4a7c15n);
    let z = wrap((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
}

// The 64-bit seeds that the library makes of random_state = 0, 1, ...
steepest.seeds = [
  11749869230777074271n,
  9441442522235856127n,
  4825892087074085057n,
  1579948266424812280n,
  17396314626642683726n,
  14849682912918955432n,
];

// The order in which an epoch (0, 1, ...) of a seed visits up to 4096 rows: a Fisher-Yates shuffle, drawn by rejection.
steepest.orderOfRows = function (nRows, seed, epoch) {
  const next = randomBits(randomBits(seed)() ^ BigInt.asUintN(64, BigInt(epoch) * 0xd1342543de82ef95n));
  const below = (n) => {
    for (;;) {
      const product = (next() >> 32n) * BigInt(n);
      if ((product & 0xffffffffn) >= (0x100000000n - BigInt(n)) % BigInt(n)) return Number(product >> 32n);
    }
  };
  const rows = Array.from({ length: nRows }, (_, i) => i);
  for (let i = nRows - 1; i > 0; i--) {
    const j = below(i + 1);
    [rows[i], rows[j]] = [rows[j], rows[i]];
  }
  return rows;
};

// Descend from `start` and return the path: the start and the parameters after each step. `rule` names one of the
// rules. A run with a batch size visits the rows in the library's order; one without takes a step an epoch.
steepest.descend = function (objective, rule, settings, start, { epochs, batchSize = null, randomState = 0 }) {
  const path = [start], state = {};
  let w = start, t = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const inBatches = batchSize !== null && batchSize < objective.nRows;
    const rows = inBatches ? steepest.orderOfRows(objective.nRows, steepest.seeds[randomState], epoch) : [];
    for (let first = 0; first < Math.max(rows.length, 1); first += batchSize || 1) {
      const batch = rows.length ? rows.slice(first, first + batchSize) : undefined;
      w = steepest.rules[rule](w, objective.gradient(w, batch), state, ++t, settings);
      path.push(w);
      if (!w.every((value) => Math.abs(value) < 1e12)) return path;  // it has diverged
    }
  }
  return path;
};
