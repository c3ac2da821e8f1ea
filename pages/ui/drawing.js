// A curve that a viewer draws: with finger, pen or mouse, or by keyboard. Streamlit calls the default export with new data each time, and with
// the same parentElement as long as the component stays mounted. What is drawn stays here until it is locked.

const views = new WeakMap(); // parentElement -> view
const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { left: 58, right: 14, top: 12, bottom: 50 };

const number = (value) => Number(value.toPrecision(3)).toLocaleString("en-US", { maximumFractionDigits: 6 });

function make(name, attributes, parent, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  parent.append(made);
  return made;
}

// About five round numbers from low to high.
function ticks({ low, high }) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= rough - 1e-12);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}

const across = (view, x) => MARGIN.left + ((x - view.data.x.low) / (view.data.x.high - view.data.x.low)) * view.width;
const down = (view, y) => MARGIN.top + ((view.data.y.high - y) / (view.data.y.high - view.data.y.low)) * view.height;
const place = (view, index) => view.data.x.low + ((view.data.x.high - view.data.x.low) * index) / (view.data.points - 1);

// Where nothing was drawn: between two points straight on, beyond the ends as high as the last one.
function filled(heights) {
  const drawn = heights.flatMap((each, i) => (each === null ? [] : [i]));
  return heights.map((each, i) => {
    if (each !== null) return each;
    const before = drawn.findLast((j) => j < i) ?? drawn[0];
    const after = drawn.find((j) => j > i) ?? drawn.at(-1);
    if (before >= after || i < before || i > after) return heights[i < drawn[0] ? drawn[0] : drawn.at(-1)];
    return heights[before] + ((heights[after] - heights[before]) * (i - before)) / (after - before);
  });
}

// A line through the points from one index up to another one, which is left out.
function path(view, heights, from = 0, to = heights.length) {
  const points = heights.slice(from, to).map((y, k) => `${across(view, place(view, from + k)).toFixed(1)},${down(view, y).toFixed(1)}`);
  return `M${points.join("L")}${points.length === 1 ? "h0.1" : ""}`;
}

function axes(view) {
  const { data, svg, width, height } = view;
  const grid = make("g", { class: "grid" }, svg);
  for (const value of ticks(data.y)) {
    const y = down(view, value);
    make("line", { x1: MARGIN.left, x2: MARGIN.left + width, y1: y, y2: y }, grid);
    make("text", { x: MARGIN.left - 8, y: y + 5, "text-anchor": "end" }, grid, number(value));
  }
  for (const value of ticks(data.x)) {
    const x = across(view, value);
    make("line", { x1: x, x2: x, y1: MARGIN.top, y2: MARGIN.top + height }, grid);
    make("text", { x, y: MARGIN.top + height + 19, "text-anchor": "middle" }, grid, number(value));
  }
  make("text", { x: MARGIN.left + width / 2, y: MARGIN.top + height + 42, "text-anchor": "middle" }, grid, data.x.label);
  const middle = MARGIN.top + height / 2;
  make("text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, grid, data.y.label);
}

function draw(view) {
  const { data, svg, heights } = view;
  view.width = Math.max(120, svg.clientWidth - MARGIN.left - MARGIN.right);
  view.height = svg.clientHeight - MARGIN.top - MARGIN.bottom;
  svg.replaceChildren();
  axes(view);
  const begun = heights.some((each) => each !== null);
  if (begun) {
    const whole = filled(heights);
    make("path", { class: "rest", d: path(view, whole) }, svg);
    let from = 0;
    for (let i = 0; i <= heights.length; i++) {
      if ((heights[i] ?? null) !== null) continue;
      if (i > from) make("path", { class: "drawn", d: path(view, whole, from, i) }, svg);
      from = i + 1;
    }
  } else {
    const middle = { x: MARGIN.left + view.width / 2, y: MARGIN.top + view.height / 2, "text-anchor": "middle", class: "hint" };
    make("text", middle, svg, data.words.here);
  }
  const y = heights[view.at] ?? (begun ? filled(heights)[view.at] : (data.y.low + data.y.high) / 2);
  make("circle", { class: "pen", r: 7, cx: across(view, place(view, view.at)), cy: down(view, y) }, svg);
  svg.setAttribute("aria-label", `${data.question} ${data.words.keys}`);
  svg.setAttribute("aria-valuemin", data.y.low);
  svg.setAttribute("aria-valuemax", data.y.high);
  svg.setAttribute("aria-valuenow", Number(y.toPrecision(3)));
  svg.setAttribute("aria-valuetext", `${data.x.label}: ${number(place(view, view.at))}. ${data.y.label}: ${number(y)}`);
  view.lock.textContent = data.words.lock;
  view.clear.textContent = data.words.clear;
  view.how.textContent = data.words.how;
  view.lock.disabled = view.clear.disabled = !begun;
}

// From where the pointer was to where it is, so that a quick stroke leaves no gap.
function stroke(view, event) {
  const box = view.svg.getBoundingClientRect();
  const last = view.data.points - 1;
  const within = (value, low, high) => Math.min(high, Math.max(low, value));
  const index = within(Math.round(((event.clientX - box.left - MARGIN.left) / view.width) * last), 0, last);
  const part = within((event.clientY - box.top - MARGIN.top) / view.height, 0, 1);
  const y = view.data.y.high - part * (view.data.y.high - view.data.y.low);
  const [from, height] = view.stroke ?? [index, y];
  const steps = Math.abs(index - from);
  for (let k = 0; k <= steps; k++) {
    const share = steps ? k / steps : 1;
    view.heights[from + Math.sign(index - from) * k] = height + (y - height) * share;
  }
  view.stroke = [index, y];
  view.at = index;
  draw(view);
}

function key(view, event) {
  const { data, heights } = view;
  const last = data.points - 1;
  const span = data.y.high - data.y.low;
  const moves = { ArrowLeft: view.at - 1, ArrowRight: view.at + 1, Home: 0, End: last };
  const raises = { ArrowUp: span / 50, ArrowDown: -span / 50, PageUp: span / 10, PageDown: -span / 10 };
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in moves || event.key in raises)) return;
  event.preventDefault();
  event.stopPropagation(); // the arrow keys are those of the page, too
  const begun = heights.some((each) => each !== null);
  const y = heights[view.at] ?? (begun ? filled(heights)[view.at] : (data.y.low + data.y.high) / 2);
  if (event.key in raises) {
    heights[view.at] = Math.min(data.y.high, Math.max(data.y.low, y + raises[event.key]));
  } else {
    view.at = Math.min(last, Math.max(0, moves[event.key]));
  }
  draw(view);
}

function mount(parentElement) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of [["tabindex", "0"], ["role", "slider"], ["aria-orientation", "vertical"]]) svg.setAttribute(name, value);
  const buttons = document.createElement("div");
  const [lock, clear] = ["lock", "clear"].map((name) => Object.assign(document.createElement("button"), { className: name, type: "button" }));
  const how = document.createElement("p");
  buttons.append(lock, clear);
  parentElement.append(svg, how, buttons);
  const view = { parentElement, svg, lock, clear, how, data: null, heights: [], at: 0, stroke: null, give: null };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    svg.setPointerCapture(event.pointerId);
    view.stroke = null;
    stroke(view, event);
  });
  svg.addEventListener("pointermove", (event) => view.stroke && stroke(view, event));
  for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, () => (view.stroke = null));
  svg.addEventListener("keydown", (event) => key(view, event));
  clear.addEventListener("click", () => {
    view.heights.fill(null);
    draw(view);
    svg.focus();
  });
  lock.addEventListener("click", () => view.give("answer", filled(view.heights)));
  const resized = new ResizeObserver(() => view.data && draw(view));
  resized.observe(svg);
  view.unmount = () => {
    resized.disconnect();
    for (const each of [svg, how, buttons]) each.remove();
    views.delete(parentElement);
  };
  views.set(parentElement, view);
  return view;
}

export default function ({ data, parentElement, setTriggerValue }) {
  const view = views.get(parentElement) ?? mount(parentElement);
  if (view.asked !== data.key) Object.assign(view, { asked: data.key, heights: new Array(data.points).fill(null), at: 0 });
  view.data = data;
  view.give = setTriggerValue;
  draw(view);
  return view.unmount;
}
