// One entry of the browser's history a visit of a page, with the newest view in its address. Streamlit adds an entry for every change of a
// parameter, and takes the view out of the address of a page while it is being left: Back would go through all of that.
(() => {
  const { document, history, location } = window;
  if (history.oneEntryAPage) return;
  history.oneEntryAPage = true;

  // On a phone it lies over the page that was chosen in it.
  const closeDrawer = () => {
    if (!window.matchMedia("(max-width: 768px)").matches) return;
    document.querySelector('[data-testid="stSidebar"][data-collapsed="false"] [data-testid="stSidebarCollapseButton"] button')?.click();
  };

  let leaving = false; // from the click on a link to another page until that page has its entry
  const clicked = (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || link.target === "_blank" || event.ctrlKey || event.metaKey || event.shiftKey) return;
    leaving = link.origin === location.origin && link.pathname !== location.pathname;
  };
  document.addEventListener("click", clicked, true);
  window.addEventListener("popstate", () => (leaving = false), true);

  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    if (new URL(url ?? "", location.href).pathname === location.pathname) {
      if (!leaving) history.replaceState(state, title, url);
      return;
    }
    leaving = false;
    closeDrawer();
    push(state, title, url);
  };
})();
