"use strict";
// Runs before the page's own scripts. See browser.py.
(() => {
  const errors = [];
  addEventListener("error", (event) => errors.push(`error: ${event.message}`));
  addEventListener("unhandledrejection", (event) => errors.push(`rejection: ${event.reason}`));

  const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
  const drawn = async () => {
    do await pause();
    while (document.documentElement.dataset.drawn !== "yes");
  };

  // Traces that have something to draw, unless the legend hides them.
  const expected = (figure) => figure.data.filter((trace) => trace.visible ?? true).filter((trace) => trace.visible !== "legendonly").length;

  // Texts of one figure that stand outside it, and tick labels of the same axis that overlap.
  function crowded(place) {
    const frame = place.getBoundingClientRect();
    const outside = [...place.querySelectorAll("svg text")]
      .filter((text) => text.textContent.trim())
      .map((text) => [text, text.getBoundingClientRect()])
      .filter(([, box]) => box.left < frame.left - 2 || box.right > frame.right + 2)
      .map(([text]) => `outside: ${text.textContent}`);
    const overlapping = [];
    for (const axis of [".xtick text", ".ytick text"]) {
      const boxes = [...place.querySelectorAll(axis)].map((text) => [text, text.getBoundingClientRect()]);
      for (const [index, [one, a]] of boxes.entries()) {
        for (const [other, b] of boxes.slice(index + 1)) {
          const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
          const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
          if (width > 1 && height > 2) overlapping.push(`overlap: ${one.textContent} / ${other.textContent}`);
        }
      }
    }
    return [...outside, ...overlapping];
  }

  function look(figures) {
    const page = document.documentElement;
    const places = [...document.querySelectorAll("[data-figure]")].filter((place) => !place.closest("[hidden]"));
    return {
      width: innerWidth,
      overflow: page.scrollWidth - innerWidth,
      paper: getComputedStyle(document.body).backgroundColor,
      ink: getComputedStyle(document.body).color,
      figures: places.map((place) => ({
        name: place.dataset.figure,
        expected: expected(figures[place.dataset.figure]),
        traces: place.querySelectorAll(".scatterlayer .trace, .barlayer .trace, .heatmaplayer .hm").length,
        width: place.querySelector(".main-svg")?.getBoundingClientRect().width ?? 0,
        room: place.getBoundingClientRect().width,
        titles: [...place.querySelectorAll(".xtitle, .ytitle")].map((title) => title.textContent),
        tickColour: getComputedStyle(place.querySelector(".xtick text, .ytick text")).fill,
        crowded: crowded(place),
      })),
    };
  }

  addEventListener("load", async () => {
    const figures = JSON.parse(document.getElementById("figures").textContent);
    const picker = document.getElementById("view");
    const views = [];
    for (const option of picker ? picker.options : [null]) {
      if (option) {
        picker.value = option.value;
        picker.dispatchEvent(new Event("change"));
      }
      await drawn();
      views.push({ label: option?.textContent ?? "", ...look(figures) });
    }
    parent.postMessage(JSON.stringify({ errors, views }), "*");
  });
})();
