"use strict";
// Draws the figures of the scenario in view, in the colours of the page; one after the other, so that the page
// answers while it does. Figures come from the JSON island; nothing is fetched.
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const picker = document.getElementById("view");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { displaylogo: false, responsive: true, displayModeBar: false };
  let round = 0;

  // What figures call ink; the page puts its own there.
  const INK = "#010101";

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function layoutInPageColours(layout) {
    const ink = colour("--ink");
    const grid = colour("--grid");
    const themed = structuredClone(layout);
    themed.font = { ...themed.font, color: ink };
    themed.hoverlabel = { bgcolor: colour("--paper"), bordercolor: grid, font: { color: ink } };
    for (const key of Object.keys(themed)) {
      if (/^[xy]axis/.test(key)) {
        Object.assign(themed[key], { gridcolor: grid, linecolor: grid, tickcolor: grid });
      }
    }
    return themed;
  }

  const inPageInk = (data) => JSON.parse(JSON.stringify(data).replaceAll(INK, colour("--ink")));

  const render = (place) => {
    const { data, layout } = figures[place.dataset.figure];
    return Plotly.react(place, inPageInk(data), layoutInPageColours(layout), config);
  };

  const placesInView = () =>
    [...document.querySelectorAll("[data-figure]")].filter((place) => !place.closest("[hidden]"));

  // Resolves when every figure in view is drawn.
  async function draw() {
    const mine = ++round;
    document.documentElement.dataset.drawn = "no";
    for (const place of placesInView()) {
      await render(place);
      place.dataset.drawn = "yes";
      await new Promise((resolve) => setTimeout(resolve));
      if (mine !== round) return;
    }
    document.documentElement.dataset.drawn = "yes";
  }

  function show(view) {
    for (const part of document.querySelectorAll("[data-view]")) {
      part.hidden = part.dataset.view !== view;
    }
    return draw();
  }

  // A legend's button hides and shows what it names in all figures beside it.
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".legend button");
    if (!button) return;
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    for (const place of button.closest(".chart").querySelectorAll("[data-figure]")) {
      for (const trace of figures[place.dataset.figure].data) {
        if (trace.legendgroup === button.dataset.group) trace.visible = pressed;
      }
      render(place);
    }
  });

  picker?.addEventListener("change", () => show(picker.value));
  dark.addEventListener("change", draw);

  // Paper is white whatever the screen is.
  window.addEventListener("beforeprint", () => {
    document.documentElement.dataset.printing = "";
    placesInView().forEach(render);
  });
  window.addEventListener("afterprint", () => {
    delete document.documentElement.dataset.printing;
    placesInView().forEach(render);
  });
  show(picker ? picker.value : "0");
})();
