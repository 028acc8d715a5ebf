"use strict";
// Draws the figures that come into view, in the colours of the page, one after the other so that the page answers
// while it does; makes downloads of their data and pictures. All is in the page, packed; nothing is fetched.
(() => {
  const colours = Object.entries(JSON.parse(document.getElementById("colours").textContent));
  let figures = {};
  const root = document.documentElement;
  const picker = document.getElementById("view");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { displaylogo: false, responsive: true, displayModeBar: false };

  // What fits on a sheet of A4 or Letter, in pixels: a figure that is wide, and one of two side by side.
  const SHEET = { wide: 660, half: 318 };

  const custom = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const channels = (hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16)).join(", ");

  // Figures are made in the colours of paper; the theme has its own in their place.
  function inPageColours(data) {
    let json = JSON.stringify(data);
    for (const [paper, property] of colours) {
      const here = custom(property);
      json = json.replaceAll(paper, here).replaceAll(`rgba(${channels(paper)}`, `rgba(${channels(here)}`);
    }
    return JSON.parse(json);
  }

  function layoutInPageColours(layout, place) {
    const ink = custom("--ink");
    const grid = custom("--grid");
    const themed = { ...structuredClone(layout), showlegend: false };
    themed.font = { ...themed.font, color: ink };
    themed.hoverlabel = { bgcolor: custom("--paper"), bordercolor: grid, font: { color: ink } };
    for (const key of Object.keys(themed)) {
      if (/^[xy]axis/.test(key)) {
        Object.assign(themed[key], { gridcolor: grid, linecolor: grid, tickcolor: grid });
      }
    }
    if ("printing" in root.dataset) {
      themed.width = place.closest(".wide") ? SHEET.wide : SHEET.half;
      themed.autosize = false;
    }
    return themed;
  }

  function render(place) {
    const { data, layout } = figures[place.dataset.figure];
    const done = Plotly.react(place, inPageColours(data), layoutInPageColours(layout, place), config);
    place.dataset.drawn = "yes";
    return done;
  }

  const placesInView = () =>
    [...document.querySelectorAll("[data-figure]")].filter((place) => !place.closest("[hidden]"));
  const drawn = () => placesInView().filter((place) => place.dataset.drawn);

  // Before the library is there, a page is printed without figures.
  const renderAll = () => globalThis.Plotly && placesInView().forEach(render);

  const waiting = new Set();
  let drawing = false;

  async function draw(places) {
    places.forEach((place) => waiting.add(place));
    if (drawing) return;
    drawing = true;
    try {
      for (const place of waiting) {
        waiting.delete(place);
        if (!place.closest("[hidden]")) await render(place);
        await new Promise((resolve) => setTimeout(resolve));
      }
    } finally {
      drawing = false;
    }
  }

  // A figure is drawn shortly before it is scrolled to.
  const observer = new IntersectionObserver(
    (entries) => {
      const near = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target);
      near.forEach((place) => observer.unobserve(place));
      draw(near);
    },
    { rootMargin: "600px 0px" },
  );

  picker?.addEventListener("change", () => {
    for (const part of document.querySelectorAll("[data-view]")) {
      part.hidden = part.dataset.view !== picker.value;
    }
    draw(drawn());
  });
  dark.addEventListener("change", () => {
    for (const place of document.querySelectorAll("[hidden] [data-drawn]")) {
      delete place.dataset.drawn;
      observer.observe(place);
    }
    draw(drawn());
  });

  // Paper is white whatever the screen is, and shows what nobody scrolled to.
  window.addEventListener("beforeprint", () => {
    root.dataset.printing = "";
    for (const folded of document.querySelectorAll("details.trust")) folded.open = true;
    renderAll();
  });
  window.addEventListener("afterprint", () => {
    delete root.dataset.printing;
    renderAll();
  });

  // A legend's button hides and shows what it names in all figures beside it.
  function toggle(button) {
    const pressed = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(pressed));
    const places = [...button.closest(".chart").querySelectorAll("[data-figure]")];
    for (const place of places) {
      for (const trace of figures[place.dataset.figure]?.data ?? []) {
        if (trace.legendgroup === button.dataset.group) trace.visible = pressed;
      }
    }
    draw(places.filter((place) => place.dataset.drawn));
  }

  // A figure away from the page: on white, with its title and a legend of its own.
  async function save(place, format) {
    const { data, layout } = figures[place.dataset.figure];
    const alone = {
      ...structuredClone(layout),
      showlegend: true,
      paper_bgcolor: "#ffffff",
      title: { text: place.dataset.title, font: { size: 16 }, x: 0, xref: "paper", yref: "container", y: 0.98, yanchor: "top" },
      legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom" },
      margin: { l: 12, r: 16, t: 56, b: 12 },
    };
    const shown = data.filter((trace) => trace.visible !== "legendonly" && trace.visible !== false);
    const size = { width: 900, height: layout.height + 120, scale: 2 };
    const url = await Plotly.toImage({ data: shown, layout: alone }, { format, ...size });
    const link = document.createElement("a");
    link.href = url;
    link.download = `${place.dataset.figure}.${format}`;
    link.click();
    return url;
  }

  document.addEventListener("click", (event) => {
    const entry = event.target.closest(".legend button");
    if (entry) toggle(entry);
    const image = event.target.closest("[data-image]");
    if (image && globalThis.Plotly) save(image.closest("figure").querySelector("[data-figure]"), image.dataset.image);
  });

  async function linkData() {
    const data = await (await unpack("data")).json();
    const urls = new Map(
      Object.entries(data).map(([key, csv]) => [
        key,
        URL.createObjectURL(new Blob([csv], { type: "text/csv;charset=utf-8" })),
      ]),
    );
    for (const link of document.querySelectorAll("[data-csv]")) {
      link.href = urls.get(link.dataset.csv);
    }
  }

  // Runs plotly.js as a script of this page: a URL of it would not do where a page's policy forbids those.
  async function loadPlotly() {
    const script = document.createElement("script");
    script.textContent = await (await unpack("plotly")).text();
    document.head.append(script);
    script.remove();
  }

  async function start() {
    const loading = loadPlotly();
    const packed = await unpack("figures");
    figures = await packed.json();
    await Promise.all([loading, linkData()]);
    document.querySelectorAll("[data-figure]").forEach((place) => observer.observe(place));
  }

  // Words and tables stand without a browser that can unpack the rest; the page says what is missing.
  const undrawn = document.getElementById("undrawn");
  if (undrawn.hidden) {
    start().catch((error) => {
      undrawn.hidden = false;
      throw error;
    });
  }
})();
