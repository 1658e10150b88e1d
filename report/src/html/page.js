
"use strict";
(() => {
  const root = document.documentElement;
  const run = document.getElementById("run");
  root.dataset.script = "ran";
  if (!run) return;
  const scroll = document.getElementById("timeline-scroll");
  const names = document.getElementById("names");
  const slots = [...run.querySelectorAll(".slot")].map((slot) => [slot.querySelector("text"), slot.querySelector("rect").getBBox()]);
  const keepInSight = (left) => {
    names.setAttribute("transform", `translate(${left} 0)`);
    for (const [text, { x, width }] of slots) {
      text.setAttribute("x", Math.max(x, Math.min(left + named, x + width - 60)) + 9);
    }
  };
  const named = names.getBBox().width;
  const follow = () => keepInSight(scroll.scrollLeft);
  scroll.addEventListener("scroll", follow, { passive: true });
  window.addEventListener("beforeprint", () => keepInSight(0));
  window.addEventListener("afterprint", follow);

  // The first of the two accesses in sight, beside the names.
  const marked = run.querySelector(".turn.first, .turn.second, .waits.first");
  if (marked) {
    const box = marked.getBBox();
    const arrow = run.querySelector("#arrow");
    const left = arrow ? Math.min(box.x, arrow.getBBox().x) : box.x;
    if (box.x + box.width > scroll.clientWidth || arrow && arrow.getBBox().x + arrow.getBBox().width > scroll.clientWidth) {
      scroll.scrollLeft = Math.max(0, left - named - 20);
    }
  }
  follow();

  // A turn and its words light up together.
  const turns = [...run.querySelectorAll(".turn")];
  const light = (number, on) => {
    for (const id of [`turn-${number}`, `step-${number}`]) document.getElementById(id)?.classList.toggle("lit", on);
  };
  for (const turn of turns) {
    for (const [event, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) {
      turn.addEventListener(event, () => light(turn.dataset.turn, on));
    }
  }
  for (const step of document.querySelectorAll(".steps > li[id]")) {
    const number = step.id.slice("step-".length);
    step.addEventListener("mouseenter", () => light(number, true));
    step.addEventListener("mouseleave", () => light(number, false));
  }
  run.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = turns.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    turns[at + step]?.focus();
  });
})();
