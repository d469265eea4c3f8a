"use strict";
// Search and filters. Without this script the page can be read all the same, by its links and its folds.
(() => {
  const form = document.getElementById("filter");
  const search = document.getElementById("search");
  const level = document.getElementById("level");
  const found = document.getElementById("found");
  const boxes = [...form.querySelectorAll("[name=verdict]")];
  const chapters = [...document.querySelectorAll(".run details.chapter")].map((fold) => ({
    fold,
    results: [...fold.querySelectorAll(".result")].map((item) => ({ item, text: textOf(item) })),
  }));
  const total = chapters.reduce((sum, chapter) => sum + chapter.results.length, 0);

  // What is looked through: all but the transcript and stderr, with the names of implementation and chapter.
  function textOf(item) {
    const headings = [item.closest(".run").querySelector("h3"), item.closest("details.chapter").querySelector("h4")];
    const parts = [...item.querySelectorAll("summary, .title, .message, dl, .rules, .note")];
    return [...headings, ...(item.querySelector("details") ? [] : [item]), ...parts]
      .map((part) => part.textContent).join(" ").toLowerCase();
  }

  function apply() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const narrowed = words.length > 0 || level.value !== "" || verdicts.size < boxes.length;
    let shown = 0;
    for (const { fold, results } of chapters) {
      let here = 0;
      for (const { item, text } of results) {
        const fits = verdicts.has(item.dataset.verdict) && (!level.value || item.dataset.level === level.value)
          && words.every((word) => text.includes(word));
        item.hidden = !fits;
        here += fits;
      }
      fold.hidden = here === 0;
      fold.open = narrowed && here > 0;
      shown += here;
    }
    for (const run of document.querySelectorAll(".run")) {
      run.hidden = !run.querySelector("details.chapter:not([hidden])");
    }
    found.textContent = `${shown} of ${total} results are shown`;
  }

  // A link into a fold opens it, and what it leads to is shown whatever the filters say.
  function reveal() {
    let target = null;
    try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return; }
    if (!target) return;
    if (target.closest("details.chapter")?.hidden) { form.reset(); apply(); }
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  }

  const folds = () => document.querySelectorAll(".run details.chapter:not([hidden]), .run .result:not([hidden]) > details");
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", apply);
  document.getElementById("unfold").addEventListener("click", () => folds().forEach((fold) => { fold.open = true; }));
  document.getElementById("fold").addEventListener("click", () => folds().forEach((fold) => { fold.open = false; }));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, select, textarea") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    } else if (event.key === "Escape" && event.target === search) {
      search.value = "";
      apply();
    }
  });
  addEventListener("hashchange", reveal);
  apply();
  if (location.hash) reveal();
})();
