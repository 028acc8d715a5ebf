"use strict";
// Runs before the page's own scripts, and does what a reader does. See browser.py.
globalThis.probe = (() => {

  const pause = () => new Promise((resolve) => setTimeout(resolve, 30));
  const here = () => [...document.querySelectorAll("[data-figure]")].filter((place) => !place.closest("[hidden]"));

  async function until(done) {
    while (!done()) await pause();
  }

  // Traces that have something to draw, unless the legend hides them.
  const expected = (figure) => figure.data.filter((trace) => trace.visible ?? true).filter((trace) => trace.visible !== "legendonly").length;

  const box = (text) => [text.textContent.trim(), text.getBoundingClientRect()];

  // Texts of one figure that stand outside it, and texts that cover each other.
  function crowded(place) {
    const frame = place.getBoundingClientRect();
    const texts = [...place.querySelectorAll(".xtick text, .ytick text, .xtitle, .ytitle, .textpoint text, .annotation-text")]
      .filter((text) => text.textContent.trim())
      .map(box);
    const outside = texts
      .filter(([, a]) => a.left < frame.left - 2 || a.right > frame.right + 2 || a.top < frame.top - 2 || a.bottom > frame.bottom + 2)
      .map(([text]) => `outside: ${text}`);
    const overlapping = [];
    for (const [index, [one, a]] of texts.entries()) {
      for (const [other, b] of texts.slice(index + 1)) {
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (width > 1 && height > 2) overlapping.push(`overlap: ${one} / ${other}`);
      }
    }
    return [...outside, ...overlapping];
  }

  // A legend, finding or title in HTML that is wider than what holds it.
  const cut = () =>
    [...document.querySelectorAll("h1, h2, h3, .finding, .caption, .legend button, .files")]
      .filter((part) => part.offsetParent && part.getBoundingClientRect().right > innerWidth + 1)
      .map((part) => part.textContent.trim());

  function look(figures) {
    const page = document.documentElement;
    return {
      width: innerWidth,
      overflow: page.scrollWidth - innerWidth,
      cut: cut(),
      paper: getComputedStyle(document.body).backgroundColor,
      ink: getComputedStyle(document.body).color,
      figures: here().map((place) => ({
        name: place.dataset.figure,
        expected: expected(figures[place.dataset.figure]),
        traces: place.querySelectorAll(".scatterlayer .trace, .barlayer .trace").length,
        width: place.querySelector(".main-svg")?.getBoundingClientRect().width ?? 0,
        room: place.getBoundingClientRect().width,
        titles: [...place.querySelectorAll(".xtitle, .ytitle")].map((title) => title.textContent),
        tickColour: getComputedStyle(place.querySelector(".xtick text, .ytick text")).fill,
        alternative: place.getAttribute("aria-label"),
        crowded: crowded(place),
      })),
    };
  }

  // Scrolls from figure to figure as a reader in a hurry does, and waits until all are drawn.
  async function readThrough() {
    for (const place of here().filter((place) => !place.dataset.drawn)) {
      place.scrollIntoView();
      await new Promise(requestAnimationFrame);
    }
    await until(() => here().every((place) => place.dataset.drawn));
    await pause();
  }

  const headings = () => [...document.querySelectorAll("h1, h2, h3, h4")].map((heading) => Number(heading.tagName[1]));

  // What the keyboard reaches must be seen to have the focus.
  function outline() {
    const parts = [...document.querySelectorAll("summary, .legend button, a[data-csv]")];
    const part = parts.find((candidate) => candidate.offsetParent);
    part.focus({ focusVisible: true });
    return getComputedStyle(part).outlineStyle;
  }

  const links = () => [...document.querySelectorAll("a[data-csv]")];

  // Clicks the first link to data, and says which file it should become.
  async function clickFirst() {
    links()[0].click();
    return links()[0].download;
  }

  // What every link to data leads to, by the name of its file.
  async function linked() {
    await until(() => links().every((link) => link.href.startsWith("blob:")));
    const read = async (link) => [link.download, await (await fetch(link.href)).text()];
    return Object.fromEntries(await Promise.all(links().map(read)));
  }

  const figures = async () => (await unpack("figures")).json();

  // Whether the page says that it cannot draw.
  const givenUp = () => !(document.getElementById("undrawn")?.hidden ?? true);

  // Figures that stand near enough to be drawn without scrolling.
  const near = () => here().filter((place) => place.getBoundingClientRect().top < innerHeight);

  // Resolves, with the milliseconds since the page was asked for, when what is seen at first is drawn.
  async function ready() {
    await until(() => document.readyState === "complete" && (givenUp() || near().every((place) => place.dataset.drawn)));
    return performance.now();
  }

  async function readAll() {
    const picker = document.getElementById("view");
    const views = [];
    for (const option of picker ? picker.options : [null]) {
      if (option) {
        picker.value = option.value;
        picker.dispatchEvent(new Event("change"));
      }
      await readThrough();
      views.push({ label: option?.textContent ?? "", ...look(await figures()) });
    }
    return views;
  }

  // After the theme has changed under an open page.
  async function readAgain() {
    const ink = () => getComputedStyle(document.body).color;
    const tick = (place) => getComputedStyle(place.querySelector(".xtick text, .ytick text")).fill;
    await until(() => here().every((place) => tick(place) === ink()));
    return look(await figures());
  }

  const probe = {
    ready,
    words: () => document.body.innerText,
    readAll,
    readAgain,
    headings,
    outline,
    clickFirst,
    linked,
    undrawn: () => here().filter((place) => !place.dataset.drawn).length,
    printedWidths: [],
  };
  // The page has drawn for paper when its own listener, which came before, is through.
  addEventListener("load", () => {
    addEventListener("beforeprint", () => {
      probe.printedWidths = here().map((place) => place.querySelector(".main-svg")?.getBoundingClientRect().width ?? 0);
    });
  });
  return probe;
})();
