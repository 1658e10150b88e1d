
"use strict";
(() => {
  const root = document.documentElement;
  const words = document.getElementById("words");
  const which = document.getElementById("which");
  const shown = document.getElementById("shown");
  if (!words || !which || !shown) return;
  const groups = Array.from(document.querySelectorAll("#cells tbody"), (group) => {
    const [head, ...rows] = group.rows;
    const kernel = head.textContent.toLowerCase();
    return { group, rows: rows.map((row) => ({
      row,
      text: kernel + "/" + row.cells[0].textContent.toLowerCase(),
      has: new Set(Array.from(row.querySelectorAll("td[class]"), (cell) => cell.className)),
    })) };
  });
  const all = groups.reduce((sum, { rows }) => sum + rows.length, 0);
  const update = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { group, rows } of groups) {
      let some = false;
      for (const { row, text, has } of rows) {
        const keep = (which.value === "" || has.has(which.value)) && wanted.every((word) => text.includes(word));
        row.hidden = !keep;
        some = some || keep;
        if (keep) count += 1;
      }
      group.hidden = !some;
    }
    shown.textContent = count + " of " + all + " cases";
  };
  words.addEventListener("input", update);
  which.addEventListener("input", update);
  root.classList.add("scripted");
  root.dataset.script = "ran";
  update();
})();
