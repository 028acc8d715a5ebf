"use strict";
// Asks for an answer whenever a control moves, one at a time and always with the latest values, and draws it.
// Panels in view are asked for first; the others, one by one, once the page rests. Nothing is fetched from elsewhere.
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const REST_MS = 400;
  const PATIENCE_MS = 20000; // after so long without an answer the next change asks again
  const config = { displaylogo: false, displayModeBar: false };

  let controls = {};
  let serial = 0;
  let askedAt = 0; // 0: no answer is awaited
  let pending = false;
  let problem = "";
  let filling = false;
  let resting = 0; // what draws panels out of view once the page rests
  const stale = new Set();
  const inView = new Set();
  const figures = new Map(); // JSON by the name of its place
  const hidden = new Map(); // by panel, the groups that its legend hides

  const custom = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const channels = (hex) => [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16)).join(", ");
  const panels = () => [...document.querySelectorAll("[data-panel]")];
  const setState = (state) => (document.body.dataset.state = state);

  // Figures are made in the colours of paper; the theme has its own in their place.
  function inPageColours(json) {
    const colours = JSON.parse(document.getElementById("colours").textContent);
    for (const [paper, property] of Object.entries(colours)) {
      const here = custom(property);
      json = json.replaceAll(paper, here);
      if (here.startsWith("#") && here.length === 7) {
        json = json.replaceAll(`rgba(${channels(paper)}`, `rgba(${channels(here)}`);
      }
    }
    return JSON.parse(json);
  }

  // Legends stand above figures, shared by those of a panel: plotly's own would make it lay figures out twice.
  function themed(layout, width) {
    Object.assign(layout, { width, showlegend: false });
    const [ink, grid] = [custom("--ink"), custom("--grid")];
    layout.font = { ...layout.font, color: ink };
    layout.hoverlabel = { bgcolor: custom("--paper"), bordercolor: grid, font: { color: ink } };
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis/.test(key)) Object.assign(layout[key], { gridcolor: grid, linecolor: grid, tickcolor: grid });
    }
    return layout;
  }

  async function draw(place) {
    const json = figures.get(place.dataset.plot);
    if (!json) return;
    while (!globalThis.Plotly) await new Promise((resolve) => setTimeout(resolve, 20));
    const { data, layout } = inPageColours(json);
    const groups = hidden.get(place.closest("[data-panel]").dataset.panel);
    for (const trace of data) if (groups?.has(trace.legendgroup)) trace.visible = false;
    await Plotly.react(place, data, themed(layout, place.clientWidth), config);
  }

  const redraw = () => Promise.all([...document.querySelectorAll("[data-plot]")].map(draw));
  dark.addEventListener("change", redraw);
  let resizing = 0;
  window.addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(redraw, 100);
  });

  // What is asked for: the latest values and the panels in view that do not show them yet.
  async function ask(more = null) {
    clearTimeout(resting);
    if (askedAt && performance.now() - askedAt < PATIENCE_MS) {
      pending = true;
      return;
    }
    pending = false;
    askedAt = performance.now();
    serial += 1;
    filling = more !== null;
    if (!filling) setState("busy");
    const wanted = panels().map((panel) => panel.dataset.panel).filter((name) => stale.has(name) && (inView.has(name) || name === more));
    const own = serial;
    try {
      const response = await fetch("/answer", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ serial, controls, panels: wanted }),
      });
      await show(await response.json());
    } catch (error) {
      if (own !== serial) return;
      askedAt = 0;
      say(`No answer: ${error.message}. Is infersim app still running?`);
      setState("settled");
    }
  }

  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const name = entry.target.dataset.panel;
      if (entry.isIntersecting) inView.add(name);
      else inView.delete(name);
    }
    if (serial && [...inView].some((name) => stale.has(name))) ask();
  });

  // What sliders say beside them: the stop, or percent.
  function labelSliders() {
    for (const slider of document.querySelectorAll("[data-slider]")) {
      const name = slider.dataset.slider;
      const stops = slider.dataset.stops ? slider.dataset.stops.split(" ") : null;
      const value = controls[name];
      const text = stops ? Number(stops[value]).toLocaleString("en") : `${value} %`;
      const output = document.getElementById(`${name}-text`);
      if (output) output.textContent = text;
      const input = slider.querySelector("input");
      input.setAttribute("aria-valuetext", text);
      if (!stops) input.setAttribute("aria-label", `Sparsity of ${name.replace("sparsity-", "")}`);
    }
  }

  function gather() {
    const inputs = window.dash_clientside.callback_context.inputs;
    controls = {};
    for (const [key, value] of Object.entries(inputs)) {
      const [name, property] = key.split(/\.(?=[^.]*$)/);
      if (name === "config") Object.assign(controls, value ?? {});
      else if (property === "value") controls[name] = Array.isArray(value) ? value.length > 0 : value;
    }
    const triggers = window.dash_clientside.callback_context.triggered ?? [];
    problem = triggers.some((each) => each.prop_id === "notice.data") ? inputs["notice.data"] ?? "" : "";
    for (const panel of panels()) {
      stale.add(panel.dataset.panel);
      observer.observe(panel);
    }
    for (const panel of panels()) { // before the observer has reported
      const box = panel.getBoundingClientRect();
      if (box.top < innerHeight && box.bottom > 0) inView.add(panel.dataset.panel);
    }
    labelSliders();
    setState("busy");
    ask();
    return { controls };
  }

  function say(text) {
    const place = document.getElementById("problem");
    place.hidden = !text;
    if (place.textContent !== text) place.textContent = text;
  }

  async function showPanel(panel, found, gpus) {
    stale.delete(panel.dataset.panel);
    panel.querySelector(".words").innerHTML = found.words;
    const legend = panel.querySelector(".legend-place");
    if (legend.dataset.shown !== found.legend) {
      legend.dataset.shown = found.legend;
      legend.innerHTML = found.legend;
      for (const entry of legend.querySelectorAll("button")) {
        if (hidden.get(panel.dataset.panel)?.has(entry.dataset.group)) entry.setAttribute("aria-pressed", "false");
      }
    }
    if (found.problem) panel.querySelector(".words").textContent = found.problem;
    const sides = [...panel.querySelectorAll("figure")];
    sides.forEach((side, place) => (side.hidden = !found.figures[place])); // before any is drawn: they share the width
    await Promise.all(
      sides.map((side, place) => {
        const json = found.figures[place];
        const plot = side.querySelector("[data-plot]");
        side.querySelector(".gpu").textContent = gpus.length > 1 ? gpus[place] ?? "" : "";
        if (json) figures.set(plot.dataset.plot, json);
        else figures.delete(plot.dataset.plot);
        return json ? draw(plot) : null;
      }),
    );
  }

  async function show(answer) {
    if (!answer || answer.serial !== serial) return;
    askedAt = 0;
    if (pending) ask(); // the server computes while this is drawn
    say(answer.problem ?? problem);
    if (answer.gpus) document.body.dataset.gpus = answer.gpus.length;
    document.body.dataset.problem = answer.problem ? "yes" : "";
    if (!answer.problem) {
      document.getElementById("verdict").innerHTML = answer.verdict;
      history.replaceState(null, "", `?${answer.query}`);
      for (const [name, line] of Object.entries(answer.lines)) {
        document.getElementById(`line-${name}`).textContent = line;
      }
      const drawn = panels().filter((panel) => answer.panels[panel.dataset.panel]);
      await Promise.all(drawn.map((panel) => showPanel(panel, answer.panels[panel.dataset.panel], answer.gpus)));
      if (!askedAt && [...inView].some((name) => stale.has(name))) ask();
    }
    if (askedAt) return;
    setState(stale.size && !answer.problem ? "ready" : "settled");
    if (stale.size && !answer.problem) resting = setTimeout(() => ask([...stale][0]), filling ? 0 : REST_MS);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const what = button.dataset.copy;
    const text = what === "link" ? location.href : document.getElementById(what).textContent;
    const status = document.getElementById("copied");
    try {
      await navigator.clipboard.writeText(text);
      status.textContent = "Copied.";
    } catch {
      status.textContent = "The browser does not let pages copy: select the text instead.";
    }
  });
  // A legend's button hides and shows what it names in the figures below it.
  document.addEventListener("click", (event) => {
    const entry = event.target.closest(".legend button");
    if (!entry) return;
    const panel = entry.closest("[data-panel]");
    const groups = hidden.get(panel.dataset.panel) ?? new Set();
    hidden.set(panel.dataset.panel, groups);
    const shown = entry.getAttribute("aria-pressed") === "true";
    if (shown) groups.add(entry.dataset.group);
    else groups.delete(entry.dataset.group);
    entry.setAttribute("aria-pressed", String(!shown));
    panel.querySelectorAll("[data-plot]").forEach(draw);
  });
  document.addEventListener("submit", (event) => event.preventDefault());

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.infersim = { gather };
})();
