// The page "A surface to turn": one of six surfaces, seen from any side, and the path of descent upon it.
"use strict";

steepest.pages = steepest.pages ?? {};

steepest.pages.surface = (function () {
  const names = Object.keys(steepest.surfaces), steps = 200;
  const box = { x: 0, y: 0, width: 560, height: 400 };
  // The steepest two are drawn as log(1 + f / unit), or their floors could not be seen.
  const units = { himmelblau: 20, rosenbrock: 10 };
  const heights = {};

  // The map from a point to its height in [-1, 1], made once for each surface.
  function heightOf(name) {
    if (!heights[name]) {
      const { value, window } = steepest.surfaces[name], unit = units[name];
      const raw = unit ? (point) => Math.log1p(value(point) / unit) : value;
      const values = steepest.draw.survey(raw, window, 31).flat();
      const [low, high] = [Math.min(...values), Math.max(...values)];
      heights[name] = (point) => (2 * (raw(point) - low)) / (high - low) - 1;
    }
    return heights[name];
  }

  const rate = (state) => Number((10 ** state.logRate).toPrecision(3));

  function path(state) {
    const surface = steepest.surfaces[state.surface];
    return steepest.descend(surface, "momentum", { rate: rate(state), momentum: state.momentum }, surface.start, { epochs: steps });
  }

  function panels(state) {
    const { window } = steepest.surfaces[state.surface];
    const camera = steepest.draw.camera(state.azimuth, state.elevation, box);
    return [steepest.draw.relief(heightOf(state.surface), window, [{ points: path(state), colour: "one" }], camera)];
  }

  function says(state) {
    const { value, formula } = steepest.surfaces[state.surface], end = path(state).at(-1);
    const height = units[state.surface] ? `The height is log(1 + f/${units[state.surface]}). ` : "";
    const f = value(end);
    if (!(Math.abs(f) < 1e6)) return `f = ${formula}. ${height}The run diverges.`;
    return `f = ${formula}. ${height}After ${steps} steps the run is at (${end.map((v) => v.toFixed(3)).join(", ")}), where f = ${f.toPrecision(3)}.`;
  }

  return {
    initial: { surface: "saddle", logRate: -1, momentum: 0, azimuth: -25, elevation: 50 },
    width: box.width, height: box.height,
    titles: ["A surface in three dimensions, darker where it is lower, and a path of descent upon it from a ring to a dot."],
    controls: [
      { kind: "choice", key: "surface", label: "Surface", choices: names.map((name) => [name, steepest.surfaces[name].name]) },
      { kind: "range", key: "azimuth", label: "Turn", min: -180, max: 180, step: 1, show: (state) => `${state.azimuth}\u00b0` },
      { kind: "range", key: "elevation", label: "Tilt", min: 5, max: 85, step: 1, show: (state) => `${state.elevation}\u00b0` },
      { kind: "range", key: "logRate", label: "Learning rate", min: -4, max: 0, step: 0.01, show: (state) => rate(state) },
      { kind: "range", key: "momentum", label: "Momentum", min: 0, max: 0.99, step: 0.01, show: (state) => state.momentum },
    ],
    // A pointer that is dragged over the picture turns and tilts it.
    drag(state, { moved }) {
      state.azimuth = ((((Math.round(state.azimuth + moved[0] / 2) + 180) % 360) + 360) % 360) - 180;
      state.elevation = Math.min(85, Math.max(5, Math.round(state.elevation + moved[1] / 2)));
    },
    steps, rate, path, panels, says,
  };
})();
