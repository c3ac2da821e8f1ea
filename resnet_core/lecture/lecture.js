"use strict";
// Charts, tables and the slider over the moments. Everything that is shown comes from the data in the page; nothing is fetched.
(() => {
  const { moments, charts, words } = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const slider = document.getElementById("moment");
  const output = document.getElementById("iteration");
  const play = document.getElementById("play");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 640px)");
  const theme = () => root.dataset.theme || (prefersDark.matches ? "dark" : "light");
  const number = new Intl.NumberFormat("en");

  function draw() {
    const step = Number(slider.value);
    const iteration = moments[step];
    output.textContent = number.format(iteration);
    slider.setAttribute("aria-valuetext", number.format(iteration));
    for (const [key, chart] of Object.entries(charts)) {
      const section = document.getElementById(key);
      const plot = section.querySelector(".plot");
      const traces = chart.data.map((data, index) => ({
        ...data,
        ...chart.looks[theme()][index],
        ...(chart.ys ? { y: chart.ys[step][index] } : {}),
      }));
      const layout = structuredClone((narrow.matches ? chart.narrow : chart.layouts)[theme()]);
      if (!narrow.matches) delete layout.height;
      if (chart.line) {
        const color = layout.font.color;
        const line = { type: "line", x0: iteration, x1: iteration, yref: "paper", y0: 0, y1: 1, line: { color, width: 1.5, dash: "dot" } };
        layout.shapes = [...(layout.shapes || []), line];
      }
      Plotly.react(plot, traces, layout, { responsive: true, displaylogo: false });
      // A heap of numbers without their axes: the label and the table say it.
      for (const svg of plot.querySelectorAll(".main-svg")) svg.setAttribute("aria-hidden", "true");
      section.querySelector("caption").textContent = words.caption
        .replace("{title}", section.dataset.title)
        .replace("{iteration}", number.format(iteration));
      const cells = chart.cells[step].flat();
      section.querySelectorAll("td").forEach((cell, index) => (cell.textContent = cells[index]));
    }
  }

  let timer = null;
  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = words.play;
  }
  play.addEventListener("click", () => {
    if (timer !== null) return pause();
    if (Number(slider.value) === moments.length - 1) slider.value = 0;
    play.textContent = words.pause;
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      draw();
      if (Number(slider.value) === moments.length - 1) pause();
    }, 350);
    draw();
  });
  slider.addEventListener("input", () => {
    pause();
    draw();
  });
  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = theme() === "dark" ? "light" : "dark";
    draw();
  });
  prefersDark.addEventListener("change", draw);
  narrow.addEventListener("change", draw);
  draw();
})();
