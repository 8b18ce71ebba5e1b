"use strict";
// The page is whole without this: it only searches, folds, and opens all for the printer.
(() => {
  const all = (where, what) => Array.from(where.querySelectorAll(what));
  const tools = document.getElementById("ledger-tools");
  const tree = document.getElementById("ledger-tree");
  if (tools && tree) {
    const leaves = all(tree, ".leaf");
    const folds = all(tree, "details");
    const asWas = folds.map((one) => one.open);
    const search = document.getElementById("ledger-search");
    const count = document.getElementById("ledger-count");
    const boxes = all(tools, "input[type=checkbox]");
    let narrowed = false;
    const filter = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fates = new Set(boxes.filter((one) => one.checked).map((one) => one.value));
      const now = words.length > 0 || fates.size < boxes.length;
      if (now && !narrowed) folds.forEach((one, i) => { asWas[i] = one.open; });
      let shown = 0;
      for (const leaf of leaves) {
        const name = leaf.dataset.name.toLowerCase();
        const fits = fates.has(leaf.dataset.fate) && words.every((word) => name.includes(word));
        leaf.hidden = !fits;
        if (fits) shown += 1;
      }
      for (let i = folds.length - 1; i >= 0; i -= 1) {
        const any = folds[i].querySelector(".leaf:not([hidden])") !== null;
        folds[i].parentElement.hidden = !any;
        if (now) folds[i].open = any;
        else if (narrowed) folds[i].open = asWas[i];
      }
      narrowed = now;
      count.textContent = shown + " of " + leaves.length + " names";
    };
    search.addEventListener("input", filter);
    boxes.forEach((one) => one.addEventListener("change", filter));
    document.getElementById("ledger-open").addEventListener("click", () => {
      folds.forEach((one) => { one.open = true; });
    });
    document.getElementById("ledger-close").addEventListener("click", () => {
      folds.forEach((one) => { one.open = false; });
    });
    tools.hidden = false;
  }
  const reveal = () => {
    const target = location.hash ? document.getElementById(location.hash.slice(1)) : null;
    const fold = target && target.querySelector(":scope > details");
    if (fold) fold.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all(document, "details:not([open])");
    closed.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => { closed.forEach((one) => { one.open = false; }); });
})();
