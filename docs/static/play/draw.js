// Drawings as strings of SVG: a contour, paths on it, a curve on a log axis and a surface seen from an angle. Nothing
// here touches the page: the pages put these strings into it, and the still pictures are files of them.
"use strict";

steepest.draw = {};

// Map a window [[left, right], [bottom, top]] to a box of pixels { x, y, width, height }.
steepest.draw.scaleOf = function (window, box) {
  const [[left, right], [bottom, top]] = window;
  return {
    window, box,
    toPixels: ([x, y]) => [
      box.x + ((x - left) / (right - left)) * box.width,
      box.y + ((top - y) / (top - bottom)) * box.height,
    ],
    fromPixels: ([px, py]) => [
      left + ((px - box.x) / box.width) * (right - left),
      top - ((py - box.y) / box.height) * (top - bottom),
    ],
  };
};

// The values of a function on a grid over a window, row by row from the bottom.
steepest.draw.survey = function (value, window, n) {
  const [[left, right], [bottom, top]] = window;
  const at = (from, to, i) => from + ((to - from) * i) / (n - 1);
  return Array.from({ length: n }, (_, j) =>
    Array.from({ length: n }, (_, i) => value([at(left, right, i), at(bottom, top, j)])));
};

// Levels that divide the area of the picture: level k of n encloses the share (k / n)^2 of it, as in st.plot.contour.
steepest.draw.levels = function (grid, n) {
  const sorted = grid.flat().sort((a, b) => a - b);
  return Array.from({ length: n - 1 }, (_, k) => sorted[Math.round(((k + 1) / n) ** 2 * (sorted.length - 1))]);
};

const tenth = (value) => String(Math.round(value * 10) / 10 || 0);

// One level curve by marching squares, as the data of an SVG path. A saddle cell is cut by its mean.
steepest.draw.levelCurve = function (grid, level, scale) {
  const n = grid.length, { box } = scale, pieces = [];
  const point = ([i, j]) =>
    `${tenth(box.x + (i / (n - 1)) * box.width)} ${tenth(box.y + (1 - j / (n - 1)) * box.height)}`;
  for (let j = 0; j + 1 < n; j++) {
    for (let i = 0; i + 1 < n; i++) {
      const corners = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]];
      const values = corners.map(([column, row]) => grid[row][column] - level);
      const cuts = [];
      for (let k = 0; k < 4; k++) {
        const [a, b] = [values[k], values[(k + 1) % 4]];
        if (a < 0 === b < 0) continue;
        const [from, to] = [corners[k], corners[(k + 1) % 4]], share = a / (a - b);
        cuts.push([from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])]);
      }
      if (cuts.length === 4 && values[0] < 0 !== values[0] + values[1] + values[2] + values[3] < 0) cuts.push(cuts.shift());
      for (let k = 0; k < cuts.length; k += 2) pieces.push(`M${point(cuts[k])}L${point(cuts[k + 1])}`);
    }
  }
  return pieces.join("");
};

// The level curves of a function, with a frame and the names of its axes.
steepest.draw.ground = function (value, scale, { resolution = 61, nLevels = 9, labels = ["x", "y"] } = {}) {
  const grid = steepest.draw.survey(value, scale.window, resolution), { box } = scale;
  const curves = steepest.draw.levels(grid, nLevels).map((level, k) =>
    `<path class="level" style="opacity:${tenth(1 - (0.7 * k) / nLevels)}" d="${steepest.draw.levelCurve(grid, level, scale)}"/>`);
  return curves.join("") + frame(box) + ticks(scale) +
    `<text class="label" x="${box.x + box.width / 2}" y="${box.y + box.height + 32}" text-anchor="middle">${labels[0]}</text>` +
    `<text class="label" x="${box.x - 28}" y="${box.y + box.height / 2}" text-anchor="middle">${labels[1]}</text>`;
};

const frame = (box) =>
  `<rect class="frame" x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}"/>`;

// Whole numbers along both axes, seven of them at most.
function ticks({ window, box, toPixels }) {
  const whole = ([from, to]) => {
    const step = Math.max(1, Math.ceil((to - from) / 7));
    return Array.from({ length: 20 }, (_, k) => (Math.ceil(from / step) + k) * step).filter((value) => value <= to);
  };
  const text = (value) => String(value).replace("-", "\u2212");
  const below = whole(window[0]).map((value) =>
    `<text class="tick" x="${tenth(toPixels([value, 0])[0])}" y="${box.y + box.height + 15}" text-anchor="middle">${text(value)}</text>`);
  const beside = whole(window[1]).map((value) =>
    `<text class="tick" x="${box.x - 6}" y="${tenth(toPixels([0, value])[1] + 4)}" text-anchor="end">${text(value)}</text>`);
  return below.join("") + beside.join("");
}

// The data of an SVG path through points; it ends before the first point that lies far outside of the box.
steepest.draw.line = function (points, scale) {
  const { box } = scale, pixels = [];
  for (const point of points) {
    const [px, py] = scale.toPixels(point);
    if (!(Math.abs(px - box.x) < 20 * box.width && Math.abs(py - box.y) < 20 * box.height)) break;
    pixels.push(`${tenth(px)} ${tenth(py)}`);
  }
  return pixels.length ? `M${pixels.join("L")}` : "";
};

// A dot, a ring (the start) or a star (a minimum) at a point.
steepest.draw.mark = function (kind, point, scale, colour = "") {
  const [px, py] = scale.toPixels(point);
  if (!Number.isFinite(px + py)) return "";
  if (kind !== "star") {
    return `<circle class="${kind} ${colour}" cx="${tenth(px)}" cy="${tenth(py)}" r="${kind === "ring" ? 5 : 4.5}"/>`;
  }
  const tips = Array.from({ length: 10 }, (_, k) => {
    const [radius, angle] = [k % 2 ? 3.2 : 8, (k * Math.PI) / 5];
    return `${tenth(px + radius * Math.sin(angle))},${tenth(py - radius * Math.cos(angle))}`;
  });
  return `<polygon class="star" points="${tips.join(" ")}"/>`;
};

// Curves of positive values on a log axis over 0, 1, ... `lines` are { values, colour }; their x axes end alike.
steepest.draw.curves = function (lines, box, { bottom, top, last, labels }) {
  const [low, high] = [Math.floor(Math.log10(bottom)), Math.ceil(Math.log10(top))];
  const scale = steepest.draw.scaleOf([[0, last], [low, high]], box);
  const step = Math.ceil((high - low) / 6);
  let out = frame(box);
  for (let power = low; power <= high; power += step) {
    const py = tenth(scale.toPixels([0, power])[1]);
    out += `<path class="grid" d="M${box.x} ${py}h${box.width}"/>` +
      `<text class="tick" x="${box.x - 6}" y="${Number(py) + 4}" text-anchor="end">${power < -2 || power > 3 ? `1e${power}` : 10 ** power}</text>`;
  }
  for (const [value, anchor] of [[0, "start"], [last, "end"]]) {
    out += `<text class="tick" x="${scale.toPixels([value, 0])[0]}" y="${box.y + box.height + 15}" text-anchor="${anchor}">${value}</text>`;
  }
  for (const { values, colour } of lines) {
    const points = values.map((value, i) => [(i * last) / (values.length - 1 || 1), value]);
    const drawn = points.filter(([, value]) => value > 0 && Number.isFinite(value))
      .map(([i, value]) => [i, Math.min(Math.max(Math.log10(value), low), high)]);
    out += `<path class="run ${colour}" d="${steepest.draw.line(drawn, scale)}"/>`;
  }
  return out + `<text class="label" x="${box.x + box.width / 2}" y="${box.y + box.height + 32}" text-anchor="middle">${labels[0]}</text>` +
    `<text class="label" x="${box.x}" y="${box.y - 8}">${labels[1]}</text>`;
};

// Turn points of the cube [-1, 1]^3 and project them: the view is from `azimuth` and `elevation`, in degrees.
steepest.draw.camera = function (azimuth, elevation, box) {
  const [a, e] = [(azimuth * Math.PI) / 180, (elevation * Math.PI) / 180];
  const size = Math.min(box.width, box.height * 1.25) / 3.7;
  return ([x, y, z]) => {
    const [across, away] = [x * Math.cos(a) - y * Math.sin(a), x * Math.sin(a) + y * Math.cos(a)];
    const up = z * Math.cos(e) + away * Math.sin(e);
    return { px: box.x + box.width / 2 + size * across, py: box.y + box.height / 2 - size * up, depth: away * Math.cos(e) - z * Math.sin(e) };
  };
};

// A surface over a window as cells, the far ones first, and paths upon it. `height` maps a point to [-1, 1].
steepest.draw.relief = function (height, window, paths, camera, n = 30) {
  const [[left, right], [bottom, top]] = window;
  const cube = ([x, y], lift = 0) =>
    [(2 * (x - left)) / (right - left) - 1, (2 * (y - bottom)) / (top - bottom) - 1, 0.75 * height([x, y]) + lift];
  const node = (i, j) => [left + ((right - left) * i) / n, bottom + ((top - bottom) * j) / n];
  const nodes = Array.from({ length: n + 1 }, (_, j) => Array.from({ length: n + 1 }, (_, i) => cube(node(i, j))));
  const spots = nodes.map((row) => row.map(camera)), cells = [];
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < n; i++) {
      const corners = [spots[j][i], spots[j][i + 1], spots[j + 1][i + 1], spots[j + 1][i]];
      const mean = (nodes[j][i][2] + nodes[j + 1][i + 1][2]) / 1.5;
      const shade = Math.min(9, Math.max(0, Math.round((9 * (mean + 1)) / 2)));
      cells.push({
        depth: corners.reduce((sum, corner) => sum + corner.depth, 0) / 4,
        svg: `<path class="cell s${shade}" d="M${corners.map(({ px, py }) => `${Math.round(px)} ${Math.round(py)}`).join("L")}Z"/>`,
      });
    }
  }
  cells.sort((one, other) => other.depth - one.depth);
  const inside = ([x, y]) => x >= left && x <= right && y >= bottom && y <= top;
  const lines = paths.map(({ points, colour }) => {
    const end = points.findIndex((point) => !inside(point));
    const spots = (end < 0 ? points : points.slice(0, end)).map((point) => camera(cube(point, 0.02)));
    if (!spots.length) return "";
    const dots = [spots[0], spots.at(-1)].map(({ px, py }, k) =>
      `<circle class="${k ? "dot" : "ring"} ${colour}" cx="${tenth(px)}" cy="${tenth(py)}" r="4.5"/>`);
    return `<path class="run ${colour}" d="M${spots.map(({ px, py }) => `${tenth(px)} ${tenth(py)}`).join("L")}"/>${dots.join("")}`;
  });
  return cells.map((cell) => cell.svg).join("") + lines.join("");
};
