"use strict";
// What moves on every page: the theme, tables that sort, tooltips, toggles. No text is ever read as markup.
(() => {
  const root = document.documentElement;
  const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  for (const button of document.querySelectorAll("button[data-theme-toggle]")) {
    button.hidden = false;
    button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; });
  }

  // Tables whose header cells hold buttons sort by the exact values of their cells; what is missing stays last.
  const key = (cell) => {
    const text = cell?.dataset.sort ?? cell?.querySelector("data")?.value ?? cell?.textContent.trim() ?? "";
    if (text === "" || text === "–") return null;
    return Number.isFinite(Number(text)) ? Number(text) : text;
  };
  const order = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
      const rows = [...table.tBodies[0].rows].map((row) => [key(row.cells[column]), row]);
      const numbers = rows.some(([value]) => typeof value === "number");
      const before = head.getAttribute("aria-sort");
      // The largest number is looked for first, the first name too.
      const descending = before === null ? numbers : before === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const [known, missing] = [rows.filter(([value]) => value !== null), rows.filter(([value]) => value === null)];
      known.sort(([a], [b]) => (descending ? order(b, a) : order(a, b)));
      table.tBodies[0].append(...[...known, ...missing].map(([, row]) => row));
    }));
  }
  for (const button of document.querySelectorAll("button[data-intervals]")) {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      for (const table of document.querySelectorAll("table.slices")) table.classList.toggle("with-intervals", on);
    });
  }

  // One tooltip for every mark that says something.
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const show = (mark, x, y) => {
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - width - 8))}px`;
    tip.style.top = `${y + 16 + height > innerHeight ? y - height - 10 : y + 16}px`;
  };
  const marked = (target) => (target instanceof Element ? target.closest("[data-tip]") : null);
  document.addEventListener("pointermove", (event) => {
    const mark = marked(event.target);
    if (mark) show(mark, event.clientX, event.clientY); else tip.hidden = true;
  });
  document.addEventListener("focusin", (event) => {
    const mark = marked(event.target);
    if (mark) { const box = mark.getBoundingClientRect(); show(mark, box.left + box.width / 2, box.bottom - 10); }
  });
  document.addEventListener("focusout", () => { tip.hidden = true; });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });

  // Buttons that show one of several panels, and buttons that switch a group of marks off.
  for (const button of document.querySelectorAll("button[data-panel]")) {
    button.addEventListener("click", () => {
      const group = button.dataset.group;
      for (const other of document.querySelectorAll("button[data-panel]")) {
        if (other.dataset.group !== group) continue;
        other.setAttribute("aria-pressed", String(other === button));
        const panel = document.getElementById(other.dataset.panel);
        if (panel) panel.hidden = other !== button;
      }
    });
  }
  for (const button of document.querySelectorAll("button[data-switch]")) {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      const chart = button.closest("figure");
      for (const mark of chart.querySelectorAll(`[data-kind="${button.dataset.switch}"]`)) mark.classList.toggle("faint", !on);
    });
  }
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("main > details, main > section details, details:has(table)")) {
      if (details.open || details.closest("#explorer")) continue;
      details.open = true;
      opened.push(details);
    }
  });
  addEventListener("afterprint", () => { for (const details of opened.splice(0)) details.open = false; });
})();
