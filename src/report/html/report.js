"use strict";
// The confusion matrix of the variant that is chosen, from the JSON report in the page.
(() => {
  const box = document.getElementById("confusion-matrix");
  if (!box) return;
  const { variants } = JSON.parse(document.getElementById("report-json").textContent);
  const [choice, table, said] = [box.querySelector("select"), box.querySelector("table"), box.querySelector(".said")];
  const SHADES = 9;
  const MOST_LISTED = 8;
  const { plain, make } = ceilingText;
  const draw = () => {
    const { confusion: { classes, counts } } = variants[Number(choice.value)];
    const columns = [...classes, "(no class)"];
    const head = make("tr", "");
    head.append(make("th", "expected ↓ answered →"), ...columns.map((name) => make("th", name, "turned")), make("th", "n", "turned"));
    const rows = counts.map((row, expected) => {
      const n = row.reduce((sum, count) => sum + count, 0);
      const line = make("tr", "");
      line.append(make("th", classes[expected]));
      row.forEach((count, answered) => {
        const share = n ? count / n : 0;
        const cell = make("td", String(count), `heat heat-${Math.round(share * SHADES)}${count ? "" : " zero"}${answered === expected ? " self" : ""}`);
        cell.dataset.tip = `expected ${plain(classes[expected])}\nanswered ${plain(columns[answered])}\n${count} of ${n} (${(share * 100).toFixed(1)}%)`;
        line.append(cell);
      });
      line.append(make("td", String(n), "soft"));
      return line;
    });
    const [tableHead, tableBody] = [make("thead", ""), make("tbody", "")];
    tableHead.append(head);
    tableBody.append(...rows);
    table.replaceChildren(tableHead, tableBody);
    const wrong = counts.flatMap((row, expected) => row.map((count, answered) => ({ count, expected, answered })))
      .filter(({ count, expected, answered }) => count > 0 && answered !== expected)
      .sort((a, b) => b.count - a.count).slice(0, MOST_LISTED);
    const list = make("ul", "", "plain small");
    list.append(...wrong.map(({ count, expected, answered }) => make("li", `${count} × ${classes[expected]} answered as ${columns[answered]}`)));
    said.replaceChildren(make("p", wrong.length ? "Most frequent confusions:" : "Nothing is confused.", "small"), list);
  };
  choice.addEventListener("change", draw);
  draw();
})();
