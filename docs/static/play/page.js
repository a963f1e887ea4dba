// Puts the interactive pages into the page: it makes their controls, redraws them at each change and hands on drags.
// Without this script the page shows the still picture that stands in the same place.
"use strict";

steepest.markup = function (page, state) {
  const { width = 364, height = 356 } = page;
  return page.panels(state).map((panel, i) =>
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${page.titles[i]}">${panel}</svg>`).join("\n");
};

steepest.mount = function (host) {
  const page = steepest.pages[host.dataset.play], state = structuredClone(page.initial);
  const pictures = host.querySelector(".pictures"), says = make("p", { className: "says" });
  const controls = make("div", { className: "controls" }), updates = [];
  says.setAttribute("role", "status");

  function redraw() {
    pictures.innerHTML = steepest.markup(page, state);
    says.textContent = page.says(state);
    updates.forEach((update) => update());
  }

  for (const control of page.controls) {
    const { element, update } = steepest.controls[control.kind](control, state, redraw);
    controls.append(element);
    updates.push(update);
  }
  host.append(controls, says);
  followDrags(page, state, pictures, redraw);
  redraw();
  host.classList.add("alive");
  return state;
};

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function range({ label, min, max, step }) {
  const input = make("input", { type: "range", min, max, step });
  input.setAttribute("aria-label", label);
  return input;
}

// Each makes a control: its element, and a function that shows the state in it.
steepest.controls = {
  range(control, state, redraw) {
    const input = range(control), shown = make("output");
    input.addEventListener("input", () => {
      state[control.key] = Number(input.value);
      redraw();
    });
    const update = () => {
      input.value = state[control.key];
      shown.textContent = control.show(state);
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    return { element: make("label", { className: control.key }, make("span", {}, control.label), input, shown), update };
  },

  choice(control, state, redraw) {
    const options = control.choices.map(([value, text]) => make("option", { value }, text));
    const select = make("select", {}, ...options);
    select.addEventListener("input", () => {
      state[control.key] = select.value;
      control.then?.(state);
      redraw();
    });
    const update = () => { select.value = state[control.key]; };
    return { element: make("label", { className: control.key }, make("span", {}, control.label), select), update };
  },

  // A range that a button plays: some thirty steps a second, until the end.
  play(control, state, redraw) {
    const { element, update } = steepest.controls.range(control, state, redraw);
    const button = make("button", { type: "button" });
    let playing = false;
    const show = () => { button.textContent = playing ? "Pause" : "Play"; };
    const tick = () => {
      if (!playing) return;
      state[control.key] = Math.min(control.max, state[control.key] + 1);
      playing = state[control.key] < control.max;
      redraw();
      if (playing) setTimeout(tick, 30);
    };
    button.addEventListener("click", () => {
      playing = !playing;
      if (playing && state[control.key] >= control.max) state[control.key] = control.min;
      tick();
      show();
    });
    element.append(button);
    return { element, update: () => { update(); show(); } };
  },

  // An optimizer of the race: whether it takes part, and its rate.
  runner(control, state, redraw) {
    const { element, update } = steepest.controls.range(control, state, redraw);
    const box = make("input", { type: "checkbox" });
    box.setAttribute("aria-label", `${control.label} takes part`);
    box.addEventListener("input", () => {
      state[control.on] = box.checked;
      redraw();
    });
    element.querySelector("span").className = control.colour;
    const row = make("div", { className: `runner ${control.on}` }, box, element);
    return { element: row, update: () => { update(); box.checked = state[control.on]; } };
  },
};

// While a pointer is down over a picture, hand on where it is, in the units of that picture, and how far it moved.
function followDrags(page, state, pictures, redraw) {
  let panel = null, last = null;
  const position = (event) => {
    const svg = pictures.querySelectorAll("svg")[panel], box = svg.getBoundingClientRect();
    const unit = svg.viewBox.baseVal.width / box.width;
    return [(event.clientX - box.left) * unit, (event.clientY - box.top) * unit];
  };
  const move = (event) => {
    const at = position(event);
    page.drag(state, { panel, at, moved: [at[0] - last[0], at[1] - last[1]] });
    last = at;
    redraw();
  };
  pictures.addEventListener("pointerdown", (event) => {
    const svg = event.target.closest("svg");
    if (!svg) return;
    panel = [...pictures.querySelectorAll("svg")].indexOf(svg);
    last = position(event);
    pictures.setPointerCapture(event.pointerId);
    move(event);
  });
  pictures.addEventListener("pointermove", (event) => { if (panel !== null) move(event); });
  for (const end of ["pointerup", "pointercancel"]) pictures.addEventListener(end, () => { panel = null; });
}

document.querySelectorAll("[data-play]").forEach((host) => { host.state = steepest.mount(host); });
