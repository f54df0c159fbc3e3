(() => {
"use strict";
const board = document.getElementById("board");
const button = (text, name) => {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  if (name) made.setAttribute("aria-label", name);
  return made;
};
document.documentElement.classList.add("js");

for (const box of document.querySelectorAll(".command")) {
  const code = box.querySelector("code");
  const copy = button("Copy", "Copy the command " + code.textContent);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      const chosen = window.getSelection();
      chosen.selectAllChildren(code);
      document.execCommand("copy");
    }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  box.append(copy);
}
if (!board) return;

const heads = [...board.tHead.rows[0].cells];
const bodies = [...board.tBodies];
const status = document.getElementById("status");
const filter = document.getElementById("filter");
const fold = document.getElementById("fold");
const say = (text) => { status.textContent = text; };

const key = (body, place) => {
  const cell = body.rows[0].cells[place];
  if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
  const text = cell.textContent.trim();
  return text === "" || text === "—" ? null : text;
};
const before = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en"));
heads.forEach((head, place) => {
  const title = head.textContent.trim();
  const sort = button("");
  sort.append(...head.childNodes);
  head.append(sort);
  head.setAttribute("aria-sort", "none");
  sort.addEventListener("click", () => {
    const first = head.dataset.first || "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const now = head.getAttribute("aria-sort");
    const next = now === "none" ? first : now === first ? second : "none";
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", next);
    const way = next === "descending" ? -1 : 1;
    const sorted = next === "none" ? bodies : [...bodies].sort((one, other) => {
      const a = key(one, place), b = key(other, place);
      if (a === null || b === null) return (a === null) - (b === null);
      return way * before(a, b);
    });
    board.append(...sorted);
    board.classList.toggle("sorted", next !== "none");
    say(next === "none" ? "In the order of the ranks" : "Sorted by " + title + ", " + next);
  });
});

const unfolders = [];
for (const body of bodies) {
  const more = body.rows[1];
  if (!more) continue;
  const name = body.rows[0].querySelector("th");
  const open = button("", "Details of " + name.textContent.trim());
  open.className = "unfold";
  open.setAttribute("aria-controls", more.id);
  const show = (shown) => {
    open.setAttribute("aria-expanded", String(shown));
    more.hidden = !shown;
    more.classList.toggle("open", shown);
    more.querySelector("details").open = shown;
  };
  show(location.hash === "#" + body.id);
  open.addEventListener("click", () => show(more.hidden));
  name.prepend(open);
  unfolders.push(show);
}
if (fold) {
  fold.hidden = !unfolders.length;
  fold.addEventListener("click", () => {
    const shown = fold.textContent === "Unfold all";
    for (const show of unfolders) show(shown);
    fold.textContent = shown ? "Fold all" : "Unfold all";
  });
}

const texts = new Map(bodies.map((body) => [body, (body.rows[0].textContent + " " + (body.dataset.also || "")).toLowerCase()]));
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const [body, text] of texts) {
    body.hidden = !words.every((word) => text.includes(word));
    shown += !body.hidden;
  }
  say(words.length ? shown + " of " + bodies.length + " rows" : "");
});
document.querySelector(".tools").hidden = false;
})();
