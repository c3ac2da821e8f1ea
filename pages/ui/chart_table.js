// What a chart draws, as a table for those who do not see it. It is made when it is opened, of what Plotly has drawn; curves that the viewer
// has hidden are left out. It comes before live_chart.js in one module.

const MOST_ROWS = 60; // of all curves of a panel together
const MOST_COLUMNS = 12; // of a matrix

// As plotly reads it: with tags, and "<" of a name as an entity.
const plain = (text) => {
  const untagged = String(text ?? "").replace(/<\/?[a-zA-Z][^<>]*>/g, " ").replace(/\s+/g, " ").trim();
  return untagged.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
};
const whole = (count) => Array.from({ length: count }, (_, i) => i);
// Evenly, with the first and the last.
const spread = (count, most) => (count <= most ? whole(count) : whole(most).map((i) => Math.round((i * (count - 1)) / (most - 1))));

function told(value, axis) {
  const named = axis?.tickvals && axis.ticktext ? plain(axis.ticktext[Array.from(axis.tickvals).indexOf(value)]) : "";
  if (named && !/^[\d.,]+k?$/.test(named)) return named; // a category; a number is told in full
  if (typeof value !== "number") return plain(value);
  return Number.isInteger(value) ? String(value) : Number.isFinite(value) ? String(Number(value.toPrecision(4))) : "";
}

function row(cells, parent, heads = 1) {
  const made = parent.insertRow();
  cells.forEach((text, i) => {
    const cell = document.createElement(i < heads ? "th" : "td");
    if (i < heads) cell.scope = heads === cells.length ? "col" : "row";
    cell.textContent = text;
    made.append(cell);
  });
}

function titled(caption, heads, parent) {
  const table = parent.appendChild(document.createElement("table"));
  if (caption) table.createCaption().textContent = caption;
  row(heads, table.createTHead(), heads.length);
  return table.createTBody();
}

// The title that stands over the middle of a panel.
function panelTitle(layout, x, y) {
  if (!x?.domain || !y?.domain) return "";
  const middle = (x.domain[0] + x.domain[1]) / 2;
  const near = (note) => note.xref === "paper" && note.yref === "paper" && Math.abs(note.x - middle) < 0.02 && Math.abs(note.y - y.domain[1]) < 0.08;
  return plain(layout.annotations?.find(near)?.text);
}

// The value that the pointer shows, where the colour stands for its logarithm or root.
function cellOf(trace, i, j) {
  const [, field, part] = trace.hovertemplate?.match(/%\{(customdata|text)(?:\[(\d+)\])?/) ?? [];
  const given = trace[field]?.[i]?.[j];
  const value = part === undefined ? given : given?.[part];
  return told(typeof value === "number" || typeof value === "string" ? value : trace.z[i][j]);
}

function matrix(trace, axes, caption, parent) {
  const rows = spread(trace.z.length, MOST_ROWS);
  const columns = spread(trace.z[0]?.length ?? 0, MOST_COLUMNS);
  const body = titled(caption, [`${axes.y.text} \\ ${axes.x.text}`, ...columns.map((j) => told(trace.x?.[j] ?? j, axes.x.axis))], parent);
  for (const i of rows) row([told(trace.y?.[i] ?? i, axes.y.axis), ...columns.map((j) => cellOf(trace, i, j))], body);
  return rows.length < trace.z.length || columns.length < trace.z[0].length;
}

function curves(traces, axes, words, caption, parent) {
  const solid = traces.some((trace) => trace.z);
  const body = titled(caption, [words.curve, axes.x.text, axes.y.text, ...(solid ? [words.value] : [])], parent);
  const most = Math.max(3, Math.floor(MOST_ROWS / traces.length));
  let thinned = false;
  for (const trace of traces) {
    const name = [plain(trace._input.name), words.kinds[trace.meta] ?? ""].filter(Boolean).join(", ");
    const there = whole(trace.x.length).filter((i) => trace.x[i] !== null && trace.y[i] !== null && !Number.isNaN(trace.y[i]));
    const taken = spread(there.length, most);
    thinned ||= taken.length < there.length;
    for (const i of taken.map((k) => there[k])) {
      row([name, told(trace.x[i], axes.x.axis), told(trace.y[i], axes.y.axis), ...(solid ? [told(trace.z?.[i])] : [])], body);
    }
  }
  return thinned;
}

// A table for each panel. Returns whether there is anything to tell.
function fillTable(chart, words, parent) {
  const layout = chart._fullLayout;
  const panels = new Map();
  for (const trace of chart._fullData ?? []) {
    if (trace.visible !== true || trace.hoverinfo === "skip" || !(trace.z?.[0]?.length || (trace.x?.length && trace.y?.length))) continue;
    const key = `${trace.scene ?? ""}|${trace.xaxis ?? ""}|${trace.yaxis ?? ""}`;
    panels.set(key, [...(panels.get(key) ?? []), trace]);
  }
  const made = document.createElement("div");
  let [thinned, last] = [false, {}];
  for (const traces of panels.values()) {
    const axes = {};
    for (const letter of ["x", "y"]) {
      const number = (traces[0][`${letter}axis`] ?? letter).slice(1);
      const axis = traces[0].scene ? layout[traces[0].scene]?.[`${letter}axis`] : layout[`${letter}axis${number}`];
      const title = plain(axis?.title?.text);
      const own = title === layout._dfltTitle[letter] ? "" : title; // Plotly puts one of its own where there is none
      axes[letter] = { axis, text: own || last[letter] || words.value };
      last[letter] = axes[letter].text;
    }
    const caption = panelTitle(layout, axes.x.axis, axes.y.axis);
    const flat = traces.filter((trace) => !trace.z?.[0]?.length);
    for (const trace of traces.filter((each) => each.z?.[0]?.length)) {
      thinned = matrix(trace, axes, caption || plain(trace._input.name), made) || thinned;
    }
    if (flat.length) thinned = curves(flat, axes, words, caption, made) || thinned;
  }
  if (thinned) made.prepend(Object.assign(document.createElement("p"), { textContent: words.thinned }));
  if (made.innerHTML !== parent.innerHTML) parent.replaceChildren(...made.childNodes); // a reader keeps their place while nothing is new
}

// Folded up below the chart. ``refresh`` is for after each drawing.
function makeTable(chart) {
  const details = document.createElement("details");
  details.className = "resnet-lab-chart-data";
  const summary = details.appendChild(document.createElement("summary"));
  const tables = details.appendChild(document.createElement("div"));
  tables.tabIndex = 0; // scrolled by the arrow keys
  tables.setAttribute("role", "region");
  let words = null;
  const fill = () => details.open && words && chart._fullLayout && fillTable(chart, words, tables);
  details.addEventListener("toggle", fill);
  const refresh = (given) => {
    words = given;
    summary.textContent = words.title;
    tables.setAttribute("aria-label", words.title);
    details.hidden = !(chart._fullData ?? []).some((trace) => trace.z || (trace.x && trace.y));
    fill();
  };
  return { details, refresh };
}
