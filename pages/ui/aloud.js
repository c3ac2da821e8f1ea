// For readers of the screen: the progress bars of a page are told in one polite live region, now and then. Streamlit's bars are drawn again
// every second or two and are no live regions; as such they would talk without end.
(() => {
  if (window.progressAloud) return;
  window.progressAloud = true;
  const EVERY = 10000; // milliseconds

  const region = document.createElement("div");
  region.setAttribute("role", "status"); // polite
  region.dataset.testid = "progress-aloud";
  region.style.cssText = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap";
  document.body.append(region);

  // Icons are letters of a font: their names are not words.
  const words = (bar) => {
    const copy = bar.cloneNode(true);
    copy.querySelectorAll('[data-testid="stIconMaterial"]').forEach((icon) => icon.remove());
    const part = bar.querySelector('[role="progressbar"]')?.getAttribute("aria-valuetext") ?? "";
    return `${part} ${copy.textContent}`.replace(/\s+/g, " ").trim();
  };
  window.setInterval(() => {
    const told = [...document.querySelectorAll('[data-testid="stProgress"]')].map(words).join(". ");
    if (told !== region.textContent) region.textContent = told;
  }, EVERY);

  // A table that is wider than the screen scrolls by itself (style.css): with the arrow keys too, once it can have the focus.
  window.setInterval(() => {
    for (const each of document.querySelectorAll('[data-testid="stMarkdownContainer"] > table, [data-testid="stTable"] > div')) {
      if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
      else each.removeAttribute("tabindex");
    }
  }, 1000);
})();
