// The live chart. Streamlit calls the default export with new data each time, and with the same parentElement as long as the
// component stays mounted; the function it returns is called when the chart leaves the page.

const libraries = new Map(); // url -> Promise of Plotly: one <script> for all charts of the page
const views = new WeakMap(); // parentElement -> view

// The app's root, also behind a proxy that adds a path: Streamlit's own bundle lies at <root>static/js/.
function appRoot() {
  const bundle = document.querySelector('script[type="module"][src*="static/js/"]');
  return bundle ? new URL("../../", bundle.src) : new URL("/", window.location.href);
}

function loadPlotly(path) {
  const url = new URL(path, appRoot()).href;
  if (!libraries.has(url)) {
    libraries.set(
      url,
      new Promise((resolve, reject) => {
        const script = document.createElement("script");
        const fail = () => {
          libraries.delete(url); // so that the next update tries again
          script.remove();
          reject(new Error(`the chart library could not be loaded from ${url}.`));
        };
        script.src = url;
        script.onload = () => (window.Plotly ? resolve(window.Plotly) : fail());
        script.onerror = fail;
        document.head.appendChild(script);
      }),
    );
  }
  return libraries.get(url);
}

function isDark(element) {
  const color = getComputedStyle(element).getPropertyValue("--st-background-color").trim();
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = color || "#ffffff";
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(probe.fillStyle.slice(i, i + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

// Names are the users' own: plotly would take "<" for a tag.
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function traces(data, theme) {
  if (data.figure) return data.figure.traces.map((trace, i) => ({ ...trace, ...data.figure.looks[theme][i] })); // figure_chart.py
  const nothing = [null]; // an empty curve would lose its place in the legend
  const lines = data.curves.map((curve) => ({
    type: "scatter",
    uid: curve.uid,
    name: escaped(curve.name),
    legendgroup: curve.group,
    showlegend: curve.kind === "test",
    meta: curve.kind === "train" ? "training" : curve.kind,
    x: curve.x.length ? curve.x : nothing,
    y: curve.y.length ? curve.y : nothing,
    mode: curve.symbol ? "lines+markers" : "lines",
    line: { ...curve.line, color: curve.color[theme] },
    marker: curve.symbol ? { symbol: curve.symbol, size: 9, color: curve.color[theme], maxdisplayed: 12 } : {},
    opacity: curve.kind === "raw" ? 0.22 : 1,
    ...hover(data, curve),
  }));
  const labels = data.curves
    .filter((curve) => curve.label)
    .map((curve) => ({
      type: "scatter",
      uid: `${curve.group}-label`,
      legendgroup: curve.group,
      showlegend: false,
      mode: "lines+text", // the line ties the name to the curve's end
      line: { color: curve.color[theme], width: 1.2 },
      cliponaxis: false,
      hoverinfo: "skip",
      x: curve.label_y === null ? nothing : [curve.x.at(-1), curve.x.at(-1) + data.x.room],
      y: curve.label_y === null ? nothing : [curve.y.at(-1), curve.label_y],
      text: ["", `\u2009<b>${escaped(curve.label)}</b>`],
      textposition: "middle right",
      textfont: { color: curve.color[theme] },
    }));
  return lines.concat(labels);
}

// The value of the record, also where the curve is a moving mean.
function hover(data, curve) {
  if (curve.kind === "raw") return { hoverinfo: "skip" };
  if (curve.kind === "test") return { hovertemplate: data.words.test };
  const raw = data.curves.find((other) => other.kind === "raw" && other.group === curve.group);
  return { customdata: raw.y, hovertemplate: data.words.training };
}


// Fingers scroll the page; they do not zoom.
const TOUCHED = window.matchMedia("(pointer: coarse)").matches;
// Pixels: of a chart that is narrower the legend stands below, and its panels one below the other.
const NARROW = 560;

function layout(data, theme, fontFamily, narrow) {
  const made = wholeLayout(data, theme, fontFamily, narrow);
  return TOUCHED ? { ...made, dragmode: false } : made;
}

function wholeLayout(data, theme, fontFamily, narrow) {
  if (data.figure) {
    const given = narrow ? data.figure.narrow[theme] : data.figure.layouts[theme];
    return { ...given, font: { ...given.font, family: fontFamily }, autosize: true };
  }
  const [low, high] = data.y.range;
  const empty = data.curves.every((curve) => curve.x.length === 0);
  const base = structuredClone(data.layouts[theme]);
  // Pixels of the legend below a narrow chart: a line for its title and one for each net.
  const below = 27 * (1 + data.curves.filter((curve) => curve.kind === "test").length);
  if (narrow) base.font.size = 13;
  const axis = (given, own) => ({ ...base[given], ...own, title: { ...base[given].title, text: data[given[0]].title } });
  return {
    ...base,
    font: { ...base.font, family: fontFamily },
    uirevision: "viewer", // never changes: zoom and hidden curves are the viewer's
    autosize: true,
    ...(narrow ? { height: 300 + base.margin.b + below } : {}),
    hovermode: "closest",
    modebar: { orientation: narrow ? "h" : "v" }, // in the margin, where it covers no entry of the legend
    margin: {
      ...base.margin,
      t: 44,
      r: Math.min(190, 30 + (narrow ? 7 : 9) * data.label_width),
      ...(narrow ? { l: 52, b: base.margin.b + below } : {}),
    },
    legend: {
      ...base.legend,
      orientation: "h",
      x: 0,
      xanchor: "left",
      title: { text: data.words.key, font: base.font, ...(narrow ? { side: "top" } : {}) },
      ...(narrow
        ? { entrywidth: 230, xref: "container", y: 0, yref: "container", yanchor: "bottom" } // one a line
        : { y: 1.02, yanchor: "bottom" }),
    },
    xaxis: axis("xaxis", { ...(empty ? { range: data.x.include } : { autorangeoptions: { include: data.x.include, clipmax: data.x.include[1] + data.x.room } }), minallowed: 0, tickformat: ",d" }),
    // An automatic range, although it is known: uirevision would take a new fixed one for a reason to forget the viewer's zoom.
    // Without a point there is no automatic range, and no zoom to forget.
    yaxis: axis("yaxis", {
      ...(empty ? { range: data.y.range } : { autorangeoptions: { include: data.y.range, clipmin: low, clipmax: high } }),
      minallowed: 0, // percent
      maxallowed: 100,
    }),
    annotations: data.note
      ? [{ text: data.note, showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5, font: { size: base.font.size + 3 } }]
      : [],
  };
}

const FULL_SCREEN = {
  name: "fullScreen",
  title: "Full screen",
  icon: { width: 24, height: 24, path: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z" },
  click: (chart) => (document.fullscreenElement ? document.exitFullscreen() : chart.requestFullscreen()),
};
const CONFIG = {
  displaylogo: false,
  scrollZoom: false,
  modeBarButtons: [
    TOUCHED ? ["toImage", "resetScale2d"] : ["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"],
    document.fullscreenEnabled ? [FULL_SCREEN] : [],
  ].filter((group) => group.length),
  toImageButtonOptions: { format: "png", filename: "resnet-lab", scale: 2 },
};

const ALONE = { width: 24, height: 24, path: "M9 5 2 12l7 7 1.6-1.6L5.2 12l5.4-5.4zM15 5l-1.6 1.6 5.4 5.4-5.4 5.4L15 19l7-7z" }; // < >

// The address of the view that stands, with one chart of it alone (embedded.py), or with all of it.
function address(name) {
  const url = new URL(window.location.href);
  for (const given of ["embed", "embed_options", "chart"]) url.searchParams.delete(given);
  if (name) {
    url.searchParams.set("embed", "true");
    url.searchParams.set("chart", name);
  }
  return url.href;
}

// Always the same object for a chart: to plotly another one is another chart, without the viewer's zoom.
function config(view) {
  const { embed } = view.data;
  if (!embed || embed.is_alone) return CONFIG;
  const button = { name: "alone", title: embed.words.alone, icon: ALONE, click: () => window.open(address(view.data.embed.name)) };
  return (view.config ??= { ...CONFIG, modeBarButtons: [...CONFIG.modeBarButtons, [button]] });
}

function isNarrow(view) {
  return view.parentElement.clientWidth < NARROW && document.fullscreenElement !== view.chart;
}

async function draw(view) {
  const { data, parentElement, chart } = view;
  const Plotly = await loadPlotly(data.plotly);
  if (view.gone || view.held) return; // held: the viewer is dragging; the newest data are drawn when they let go
  const theme = isDark(parentElement) ? "dark" : "light";
  const fontFamily = getComputedStyle(chart).fontFamily;
  view.problem.hidden = true;
  const before = view.narrow;
  const narrow = (view.narrow = isNarrow(view));
  const given = layout(data, theme, fontFamily, narrow);
  const height = (narrow && given.height) || data.figure?.height;
  chart.style.height = height ? `${height}px` : "";
  delete given.height;
  let drawn = traces(data, theme);
  if (narrow) drawn = drawn.map((trace) => (trace.mode === "markers+text" ? { ...trace, mode: "markers" } : trace)); // no room for names
  if (narrow && given.margin.r > 0.3 * chart.clientWidth) {
    given.margin = { ...given.margin, r: 16 };
    drawn = drawn.filter((trace) => trace.mode !== "lines+text"); // names of that length are left to the legend
  }
  if (given.coloraxis && before !== undefined && before !== narrow) {
    // A colour bar that moves from the side to below leaves no room for the plot: plotly keeps the margin that it had. So it goes first.
    const { coloraxis, ...bare } = given;
    await Plotly.react(chart, [], bare, config(view));
  }
  await Plotly.react(chart, drawn, given, config(view));
  chart.setAttribute("aria-label", data.alt);
  // A heap of numbers without their axes: the sentence and the table say it.
  for (const svg of chart.querySelectorAll(".main-svg")) svg.setAttribute("aria-hidden", "true");
  view.table.refresh(data.table);
  view.whole.hidden = !data.embed?.is_alone;
  view.whole.textContent = data.embed?.words.whole ?? "";
  view.whole.href = address("");
}

// One drawing at a time; of the data that arrive meanwhile only the newest are drawn.
async function drawNewest(view) {
  view.wanted = true;
  if (view.busy) return;
  view.busy = true;
  try {
    while (view.wanted && !view.held && !view.gone) {
      view.wanted = false;
      await draw(view);
    }
  } catch (error) {
    view.problem.textContent = `The chart could not be drawn: ${error.message}`;
    view.problem.hidden = false;
  } finally {
    view.busy = false;
  }
}

function mount(parentElement) {
  const chart = document.createElement("div");
  chart.className = "resnet-lab-chart";
  chart.setAttribute("role", "figure");
  const table = makeTable(chart);
  const problem = document.createElement("div");
  problem.className = "resnet-lab-chart-problem";
  problem.setAttribute("role", "alert");
  problem.hidden = true;
  const whole = document.createElement("a"); // of a chart that stands alone
  whole.className = "resnet-lab-chart-whole";
  whole.target = "_blank";
  whole.hidden = true;
  parentElement.append(chart, problem, table.details, whole);
  const view = { parentElement, chart, problem, table, whole, data: null, wanted: false, busy: false, held: false, gone: false };

  const resized = new ResizeObserver(() => {
    if (!chart._fullLayout || chart.clientWidth === 0) return;
    if (isNarrow(view) !== view.narrow) drawNewest(view);
    else window.Plotly.Plots.resize(chart);
  });
  resized.observe(chart);
  // A redraw in the middle of a drag would take the zoom box out of the viewer's hand.
  const hold = () => (view.held = true);
  const release = () => {
    if (!view.held) return;
    // After Plotly's own handlers of the same event.
    setTimeout(() => {
      view.held = false;
      if (view.wanted) drawNewest(view);
    }, 0);
  };
  chart.addEventListener("pointerdown", hold, true);
  for (const name of ["pointerup", "pointercancel", "blur"]) window.addEventListener(name, release, true);

  view.unmount = () => {
    view.gone = true;
    resized.disconnect();
    for (const name of ["pointerup", "pointercancel", "blur"]) window.removeEventListener(name, release, true);
    if (window.Plotly) window.Plotly.purge(chart);
    chart.remove();
    problem.remove();
    table.details.remove();
    whole.remove();
    views.delete(parentElement);
  };
  views.set(parentElement, view);
  return view;
}

export default function ({ data, parentElement }) {
  const view = views.get(parentElement) ?? mount(parentElement);
  view.data = data;
  drawNewest(view);
  return view.unmount;
}
