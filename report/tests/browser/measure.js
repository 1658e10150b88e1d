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
    arrow: arrow && {
      from: end(0, between.dataset.from),
      to: end(arrow.getTotalLength(), between.dataset.to),
      first: [".turn.first", ".waits.first"].some((one) => page.querySelector(one)?.id === between.dataset.from),
      second: [".turn.second", ".missing.second"].some((one) => page.querySelector(one)?.id === between.dataset.to),
    },
  });
};
