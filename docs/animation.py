"""Draws descent.svg, the moving picture of the front page, from real runs: `python docs/animation.py`.

Three optimizers descend in a valley. Keyframes draw each path, without a script. For readers who ask for no motion the
picture stands still.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import steepest as st

WIDTH, HEIGHT = 640, 300
SECONDS, STEPS = 8, 60
CURVATURES = np.array([1.0, 12.0])
START = np.array([-9.0, 2.2])
WINDOW = ((-10.5, 5.0), (-3.3, 3.3))
LEVELS = (0.3, 1.5, 4.0, 8.0, 14.0, 22.0, 32.0, 46.0, 64.0)
OPTIMIZERS = {
    "plain": ("gradient descent", st.GradientDescent(2 / 13)),
    "momentum": ("momentum", st.Momentum(0.06, momentum=0.7)),
    "adam": ("Adam", st.Adam(0.8)),
}
STYLE = """
.descent { --plain: #0072b2; --momentum: #d55e00; --adam: #007a5a; --level: #71879a; --ink: #333; }
.descent text { font: 20px sans-serif; }
@media (prefers-color-scheme: dark) {
  .descent { --plain: #4db2ee; --momentum: #ff8f4a; --adam: #2fc79b; --level: #8497a8; --ink: #ddd; }
}
body[data-theme="light"] .descent { --plain: #0072b2; --momentum: #d55e00; --adam: #007a5a; --ink: #333; }
body[data-theme="dark"] .descent { --plain: #4db2ee; --momentum: #ff8f4a; --adam: #2fc79b; --ink: #ddd; }
.descent .level { fill: none; stroke: var(--level); opacity: 0.55; }
.descent .path { fill: none; stroke-width: 2.2; stroke-linejoin: round; stroke-dasharray: 1; }
.descent text { fill: var(--ink); }
@media (prefers-reduced-motion: no-preference) {
MOTION
}
"""
MOVING = 80  # percent of the time; the rest of it the picture stands still


def pixels(points: Any) -> Any:
    """Return points of the plane as pixels."""
    (left, right), (bottom, top) = WINDOW
    x, y = np.asarray(points, dtype=float).T
    return np.column_stack([(x - left) / (right - left) * WIDTH, (top - y) / (top - bottom) * HEIGHT])


def runs() -> dict[str, Any]:
    """Return the paths of the optimizers."""
    bowl = st.Function(lambda w: (CURVATURES @ w**2 / 2, CURVATURES * w), n_parameters=2)
    return {
        name: st.minimize(bowl, START, optimizer, max_epochs=STEPS, record_path=True, diagnose=False).path
        for name, (_, optimizer) in OPTIMIZERS.items()
    }


def motion(name: str, points: Any) -> str:
    """Return the keyframes of a path and of the dot at its head, in equal times for all steps."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    path, dot = [], []
    for i, (length, (x, y)) in enumerate(zip(lengths / lengths[-1], points, strict=True)):
        when = f"{MOVING * i / (len(points) - 1):.1f}%" + (", to" if i == len(points) - 1 else "")
        path.append(f"{when}{{stroke-dashoffset:{1 - length:.3f}}}")
        dot.append(f"{when}{{transform:translate({x:.1f}px,{y:.1f}px)}}")
    keyframes = f"@keyframes path-{name}{{{''.join(path)}}} @keyframes dot-{name}{{{''.join(dot)}}}"
    kinds = [f"#{kind}-{name} {{ animation: {kind}-{name} {SECONDS}s linear infinite; }}" for kind in ("path", "dot")]
    return "  " + " ".join([*kinds, keyframes])


def drawn(paths: dict[str, Any]) -> str:
    """Return the picture."""
    centre, unit = pixels([[0.0, 0.0]])[0], pixels([[1.0, -1.0]])[0] - pixels([[0.0, 0.0]])[0]
    out = [f'<svg class="descent" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"']
    out[0] += ' aria-label="Gradient descent, momentum and Adam on their way down to the minimum of a valley">'
    motions = "\n".join(motion(name, pixels(path)) for name, path in paths.items())
    out.append(f"<style>{STYLE.replace('MOTION', motions)}</style>")
    for level in LEVELS:
        rx, ry = unit * np.sqrt(2 * level / CURVATURES)
        out.append(f'<ellipse class="level" cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" rx="{rx:.1f}" ry="{ry:.1f}"/>')
    for i, (name, path) in enumerate(paths.items()):
        points = "L".join(f"{x:.1f} {y:.1f}" for x, y in pixels(path))
        colour = f"var(--{name})"
        out.append(f'<path class="path" id="path-{name}" pathLength="1" style="stroke: {colour}" d="M{points}"/>')
        x, y = pixels(path)[-1]
        style = f"fill: {colour}; transform: translate({x:.1f}px, {y:.1f}px)"
        out.append(f'<circle id="dot-{name}" style="{style}" r="5"/>')
        out.append(f'<circle style="fill: {colour}" cx="{WIDTH - 180}" cy="{24 + 28 * i}" r="6"/>')
        out.append(f'<text x="{WIDTH - 164}" y="{31 + 28 * i}">{OPTIMIZERS[name][0]}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "descent.svg").write_text(drawn(runs()))
