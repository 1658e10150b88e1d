// Measures the page in the frame and leaves the numbers where --dump-dom prints them.
const frame = document.getElementById("frame");
frame.onload = () => {
  const page = frame.contentDocument;
  const all = (selector) => [...page.querySelectorAll(selector)];
  const area = (element) => {
    const { left, top, right, bottom } = element.getBoundingClientRect();
    return [left, top, right, bottom];
  };
  const arrow = page.getElementById("arrow");
  const end = (at, box) => {
    const point = arrow.getPointAtLength(at).matrixTransform(arrow.getScreenCTM());
    return { point: [point.x, point.y], box: area(page.getElementById(box).querySelector("rect")) };
  };
  const between = page.querySelector(".arrow");
  const outside = all(".turn text, .waits text, .missing text").filter((text) => {
    const [left, top, right, bottom] = area(text);
    const box = area(text.closest(".turn, .waits, .missing").querySelector("rect"));
    return left < box[0] || top < box[1] || right > box[2] + 1 || bottom > box[3];
  });
  const root = page.documentElement;
  // The filter of a matrix, as a reader uses it.
  const words = page.getElementById("words");
  const which = page.getElementById("which");
  const rows = () => all("#cells tbody:not([hidden]) tr:not([hidden])").filter((row) => row.cells.length > 1).length;
  const filtered = (text, kind) => {
    words.value = text;
    which.value = kind;
    words.dispatchEvent(new Event("input"));
    return [rows(), page.getElementById("shown").textContent];
  };
  document.documentElement.dataset.measured = JSON.stringify({
    script: root.dataset.script ?? null,
    title: page.title,
    lanes: all(".names .subgroup").length,
    turns: all("#run .turn").length,
    steps: all(".steps > li[id]").length,
    marked_lines: all(".source li.marked").length,
    elements_from_elsewhere: all("img, iframe, object, embed, link, base, form, [onerror], [style]").length,
    width: [root.scrollWidth, root.clientWidth],
    text_outside: outside.map((text) => text.textContent),
    matrix: words && {
      cells: all("#cells td[class]").length,
      rows: rows(),
      by_words: filtered("Beta/split n=999,", ""),
      by_disagreement: filtered("", "d"),
      by_nothing: filtered("no such case", ""),
      all_again: filtered("", ""),
      backgrounds: ["a", "d", "s"].map((kind) => getComputedStyle(page.querySelector(`#cells td.${kind}`)).backgroundColor),
    },
    arrow: arrow && {
      from: end(0, between.dataset.from),
      to: end(arrow.getTotalLength(), between.dataset.to),
      first: [".turn.first", ".waits.first"].some((one) => page.querySelector(one)?.id === between.dataset.from),
      second: [".turn.second", ".missing.second"].some((one) => page.querySelector(one)?.id === between.dataset.to),
    },
  });
};
