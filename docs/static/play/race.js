// The page "A race of optimizers": six optimizers from one start, step by step.
"use strict";

steepest.pages = steepest.pages ?? {};

steepest.pages.race = (function () {
  const names = Object.keys(steepest.surfaces), steps = 200, target = 1e-3;
  const box = { x: 44, y: 26, width: 310, height: 288 };
  const runners = [
    { key: "plain", name: "plain", colour: "one", rule: "gradientDescent", settings: {} },
    { key: "momentum", name: "momentum 0.9", colour: "two", rule: "momentum", settings: { momentum: 0.9 } },
    { key: "nesterov", name: "Nesterov 0.9", colour: "three", rule: "momentum", settings: { momentum: 0.9, nesterov: true } },
    { key: "adagrad", name: "AdaGrad", colour: "four", rule: "adagrad", settings: {} },
    { key: "rmsprop", name: "RMSProp", colour: "five", rule: "rmsprop", settings: {} },
    { key: "adam", name: "Adam", colour: "six", rule: "adam", settings: {} },
  ];
  // Rates that suit each surface, in the order of the runners.
  const suited = {
    bowl: [0.4, 0.05, 0.05, 1, 0.1, 0.3],
    ravine: [0.0769, 0.02, 0.02, 1, 0.1, 0.3],
    turned: [0.0769, 0.02, 0.02, 1, 0.1, 0.3],
    saddle: [0.2, 0.05, 0.05, 0.5, 0.05, 0.1],
    himmelblau: [0.01, 0.002, 0.002, 1, 0.1, 0.3],
    rosenbrock: [0.001, 0.0005, 0.0005, 0.5, 0.02, 0.3],
  };

  const initial = { surface: "ravine", step: 64 };
  runners.forEach(({ key }) => { initial[`on_${key}`] = true; });
  const rates = (surface) => Object.fromEntries(runners.map(({ key }, i) => [`log_${key}`, Math.log10(suited[surface][i])]));
  Object.assign(initial, rates("ravine"));

  const rate = (state, key) => Number((10 ** state[`log_${key}`]).toPrecision(3));
  const lowest = ({ value, minima }) => Math.min(...minima.map(value));

  function path(state, { key, rule, settings }) {
    const surface = steepest.surfaces[state.surface];
    return steepest.descend(surface, rule, { ...settings, rate: rate(state, key) }, surface.start, { epochs: steps });
  }

  // Scale and level curves, made once for each surface.
  const grounds = {};
  function groundOf(name) {
    if (!grounds[name]) {
      const scale = steepest.draw.scaleOf(steepest.surfaces[name].window, box);
      grounds[name] = { scale, svg: steepest.draw.ground(steepest.surfaces[name].value, scale) };
    }
    return grounds[name];
  }

  function panels(state) {
    const surface = steepest.surfaces[state.surface], { scale, svg } = groundOf(state.surface);
    const racing = runners.filter(({ key }) => state[`on_${key}`]);
    const floor = lowest(surface), heads = [], lines = [], paths = [];
    for (const runner of racing) {
      const points = path(state, runner).slice(0, state.step + 1), { colour } = runner;
      paths.push(`<path class="run ${colour}" d="${steepest.draw.line(points, scale)}"/>`);
      heads.push(steepest.draw.mark(`dot ${colour}`, points.at(-1), scale));
      const values = points.map((point) => surface.value(point) - floor);
      lines.push({ colour, values: values.concat(Array(steps + 1 - values.length).fill(NaN)) });
    }
    const stars = surface.minima.map((point) => steepest.draw.mark("star", point, scale));
    const curves = steepest.draw.curves(lines, box, { bottom: 1e-8, top: 1e3, last: steps, labels: ["step", "f above the lowest"] });
    return [svg + paths.join("") + stars.join("") + steepest.draw.mark("ring", surface.start, scale) + heads.join(""), curves];
  }

  // The step at which a runner first comes within the target of the lowest value, or null.
  function arrival(state, runner) {
    const surface = steepest.surfaces[state.surface], floor = lowest(surface);
    const found = path(state, runner).findIndex((point) => surface.value(point) - floor < target);
    return found < 0 ? null : found;
  }

  function says(state) {
    const times = runners.filter(({ key }) => state[`on_${key}`]).map((runner) => [runner.name, arrival(state, runner)]);
    const there = times.filter(([, step]) => step !== null && step <= state.step).sort((one, other) => one[1] - other[1]);
    const list = there.map(([name, step]) => `${name} (step ${step})`).join(", ");
    return `Step ${state.step} of ${steps}. Within ${target} of the lowest value so far: ${list || "none"}.`;
  }

  return {
    initial, titles: ["Level curves of a surface and the paths of the optimizers, each with a dot at its head.",
      "The value above the lowest one over the steps, a curve for each optimizer."],
    controls: [
      { kind: "choice", key: "surface", label: "Surface", choices: names.map((name) => [name, steepest.surfaces[name].name]),
        then: (state) => Object.assign(state, rates(state.surface), { step: 0 }) },
      { kind: "play", key: "step", label: "Step", min: 0, max: steps, step: 1, show: (state) => state.step },
      ...runners.map(({ key, name, colour }) => ({
        kind: "runner", key: `log_${key}`, on: `on_${key}`, label: name, colour, min: -4, max: 1, step: 0.01,
        show: (state) => rate(state, key),
      })),
    ],
    drag() {},
    runners, steps, rate, path, panels, says, arrival,
  };
})();
