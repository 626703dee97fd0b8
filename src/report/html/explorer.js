"use strict";
// The examples: an index to filter by, and chunks that are opened when they are looked at.
(async () => {
  const { plain, shown, make, long, answer, body } = ceilingText;
  const root = document.getElementById("explorer");
  const part = (role) => root.querySelector(`[data-role="${role}"]`);
  const problem = (text) => { const box = part("problem"); box.textContent = text; box.hidden = false; };
  if (typeof DecompressionStream === "undefined") {
    problem("This browser cannot open the examples (it lacks DecompressionStream); everything above is whole.");
    return;
  }

  // Data: elements of base64, opened once and kept while there is room.
  const ROOM = 64 * 1024 * 1024;
  const kept = new Map();
  let used = 0;
  const unpack = async (id) => {
    const element = document.getElementById(id);
    if (!element) return null;
    const bytes = Uint8Array.from(atob(element.textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const json = await new Response(stream).text();
    return { value: JSON.parse(json), size: json.length };
  };
  const open = async (id) => {
    const found = kept.get(id);
    if (found) {
      kept.delete(id);
      kept.set(id, found);
      return found.value;
    }
    const opened = await unpack(id);
    if (opened && !kept.has(id)) {
      kept.set(id, opened);
      used += opened.size;
      for (const [old, { size }] of kept) {
        if (used <= ROOM || old === id) break;
        kept.delete(old);
        used -= size;
      }
    }
    return opened?.value;
  };
  let index;
  try { index = (await unpack("index"))?.value; } catch (error) { problem(`The examples of this page cannot be read: ${error.message}`); return; }
  if (!index) { problem("This page was written without its examples."); return; }
  const { ids, variants, codes, tags, right: RIGHT } = index;
  const within = (starts, place) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= place) low = middle; else high = middle - 1;
    }
    return low;
  };
  const example = async (place) => {
    const chunk = within(index.chunks, place);
    return (await open(`chunk-${chunk}`))[place - index.chunks[chunk]];
  };
  const bodies = async (place) => {
    if (place >= index.with_bodies) return null;
    const chunk = within(index.bodies, place);
    return (await open(`bodies-${chunk}`))[place - index.bodies[chunk]];
  };
  const readable = (value) => (value === null ? "" : typeof value === "string" ? value : JSON.stringify(value, null, 2));

  // Filters.
  const filters = root.querySelector(".filters");
  const control = (name) => filters.querySelector(`[name="${name}"]`);
  const choice = (name) => (control(name).value === "" ? null : Number(control(name).value));
  const LETTERS = { r: "✓", w: "✗", i: "!", f: "⊘", c: "✂", x: "?", u: "~", "-": "·" };
  const COLOURS = { r: "good", w: "bad", i: "bad" };
  control("tag").append(...Object.keys(tags).map((tag) => new Option(plain(tag), tag)));
  const values = () => {
    const column = tags[control("tag").value];
    control("value").replaceChildren(new Option("any", ""), ...(column?.values ?? []).map((value, place) => new Option(plain(value), String(place))));
    control("value").disabled = !column;
  };
  // What never came, or could not be scored, is neither right nor wrong.
  const scored = (code) => !"-xu".includes(code);
  const TOGETHER = {
    "all-wrong": (good, asked) => good === 0 && asked > 0,
    "one-wrong": (good, asked) => asked > 1 && good === asked - 1,
    "one-right": (good, asked) => asked > 1 && good === 1,
    "all-right": (good, asked) => good === asked && asked > 0,
    split: (good, asked) => good > 0 && good < asked,
  };
  const FLIPS = {
    fixed: (a, b) => !a && b, broken: (a, b) => a && !b, flip: (a, b) => a !== b, both: (a, b) => a && b, neither: (a, b) => !a && !b,
  };
  const passes = () => {
    const [a, b, outcome, flip, together] = [choice("a"), choice("b"), control("outcome").value, FLIPS[control("flip").value], TOGETHER[control("together").value]];
    const [column, value] = [tags[control("tag").value], choice("value")];
    const fits = (code) => (outcome === "not-r" ? scored(code) && code !== "r" : code === outcome);
    return (place) => {
      const all = codes.map((of) => of[place]);
      if (column && value !== null && column.of[place] !== value) return false;
      if (outcome && !(a === null ? all : [all[a]]).some(fits)) return false;
      if (flip && a !== null && b !== null && !(scored(all[a]) && scored(all[b]) && flip(all[a] === "r", all[b] === "r"))) return false;
      const known = all.filter(scored);
      return !together || together(known.filter((code) => code === "r").length, known.length);
    };
  };
  const holds = (item, words) => {
    const text = [item.id, readable(item.input), readable(item.expected), ...Object.values(item.tags),
      ...item.trials.flat().flatMap((trial) => [trial.text, trial.violation, trial.failure])].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  };

  // The list: only the rows in sight exist. What is selected is an example, wherever it stands in the list.
  const HEIGHT = 46;
  const list = root.querySelector(".list");
  const rows = list.querySelector(".rows");
  const detail = root.querySelector(".detail");
  let found = [];
  let selected = null;
  let search = 0;
  let showing = 0;
  const line = () => (selected === null ? -1 : found.indexOf(selected));
  const cells = (place) => {
    const box = make("span", "", "cells");
    box.append(...codes.map((of) => make("span", LETTERS[of[place]], COLOURS[of[place]] ?? "unsure")));
    box.setAttribute("aria-hidden", "true");
    return box;
  };
  const drawList = () => {
    rows.style.height = `${found.length * HEIGHT}px`;
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 6);
    const last = Math.min(found.length, first + Math.ceil(list.clientHeight / HEIGHT) + 12);
    const wanted = [];
    for (let at = first; at < last; at += 1) {
      const place = found[at];
      const row = make("div", "", "row");
      row.style.top = `${at * HEIGHT}px`;
      row.id = `row-${place}`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(place === selected));
      row.setAttribute("aria-setsize", String(found.length));
      row.setAttribute("aria-posinset", String(at + 1));
      const head = make("div", "", "head");
      head.append(make("span", ids[place], "id"), cells(place));
      const snippet = make("div", "", "snippet");
      row.append(head, snippet);
      row.addEventListener("click", () => select(place));
      wanted.push(row);
      example(place).then((item) => snippet.replaceChildren(shown(readable(item.input).replace(/\s+/g, " ").slice(0, 120))))
        .catch((error) => { snippet.textContent = `cannot be read: ${error.message}`; });
    }
    rows.replaceChildren(...wanted);
    if (document.getElementById(`row-${selected}`)) list.setAttribute("aria-activedescendant", `row-${selected}`);
    else list.removeAttribute("aria-activedescendant");
  };
  const plural = (count) => `${count.toLocaleString("en")} example${count === 1 ? "" : "s"}`;
  const count = (note = "") => {
    part("count").textContent = found.length === ids.length ? plural(ids.length) : `${found.length.toLocaleString("en")} of ${plural(ids.length)}`;
    part("note").textContent = note;
  };
  const searched = async (places, words, own) => {
    const hits = [];
    let shownAt = performance.now();
    for (const [at, place] of places.entries()) {
      const item = await example(place);
      if (own !== search) return null;
      if (holds(item, words)) hits.push(place);
      if (performance.now() - shownAt > 200) {
        found = [...hits];
        count(`searching: ${Math.round((at / places.length) * 100)}%`);
        drawList();
        await new Promise((resume) => setTimeout(resume));
        if (own !== search) return null;
        shownAt = performance.now();
      }
    }
    return hits;
  };
  const refresh = async () => {
    const own = ++search;
    const both = choice("a") !== null && choice("b") !== null && choice("a") !== choice("b");
    control("flip").disabled = !both;
    control("flip").title = both ? "" : "choose two variants as A and B";
    const fits = passes();
    const places = ids.map((_, place) => place).filter(fits);
    const words = control("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = words.length === 0 ? places : await searched(places, words, own);
    if (hits === null) return;
    found = hits;
    count();
    if (found.length === 0) {
      selected = null;
      showing += 1;
      drawList();
      detail.replaceChildren(make("p", "No example is like that.", "soft"));
    } else if (found.includes(selected)) {
      await select(selected, false);
    } else {
      list.scrollTop = 0;
      await select(found[0], false);
    }
  };

  // The details of one example.
  const milliseconds = (ms) => `${ms.toLocaleString("en", { maximumFractionDigits: 1 })} ms`;
  const dollars = (usd) => `$${usd === 0 ? "0" : usd.toFixed(Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(Math.abs(usd))))))}`;
  const sum = (numbers) => { const known = numbers.filter((number) => number !== null); return known.length ? known.reduce((all, number) => all + number, 0) : null; };
  const facts = (trial) => {
    const first = trial.ttft_ms === null ? "" : `first token ${milliseconds(trial.ttft_ms)}, `;
    const time = trial.total_ms === null ? "time not measured" : `${first}whole ${milliseconds(trial.total_ms)}`;
    const { usage } = trial;
    const tokens = [["in", usage.input_uncached_tokens], ["cached", usage.cache_read_tokens],
      ["written", sum([usage.cache_write_5m_tokens, usage.cache_write_1h_tokens])], ["out", usage.output_tokens], ["reasoning", usage.reasoning_tokens]]
      .filter(([, number]) => number !== null).map(([name, number]) => `${number.toLocaleString("en")} ${name}`).join(", ");
    return `${time} (${trial.source}) · ${tokens ? `tokens ${tokens}` : "tokens unknown"} · ${trial.cost_usd === null ? "cost unknown" : dollars(trial.cost_usd)}`;
  };
  const raw = (place, variant, number) => {
    const box = make("details");
    box.append(make("summary", "request and response", "small soft"));
    box.addEventListener("toggle", async () => {
      if (!box.open || box.dataset.filled) return;
      box.dataset.filled = "yes";
      const pair = await bodies(place).then((all) => all?.[variant]?.[number]).catch(() => null);
      if (!pair) {
        box.append(make("p", "Not in this page, which would grow too large: `ceiling show` prints them, and --bodies makes room.", "small"));
        return;
      }
      box.append(make("div", "request, laid out", "small soft"), body(pair[0]), make("div", "response, as it came", "small soft"), long(pair[1]));
    });
    return box;
  };
  const state = (trial) => (trial.missing || trial.score === null ? "other" : trial.score >= RIGHT ? "right" : "wrong");
  const score = (trial) => {
    if (trial.missing) return "? missing";
    if (trial.score === null) return "~ not scored";
    return `${state(trial) === "right" ? "✓ right" : "✗ wrong"}${trial.score === 0 || trial.score === 1 ? "" : ` ${trial.score.toFixed(3)}`}`;
  };
  const card = (place, variant, trial, number, several) => {
    const box = make("div", "", `card ${state(trial)}`);
    const head = make("h4", variants[variant] + (several ? ` · repeat ${number + 1}` : ""));
    head.append(make("span", score(trial), { right: "good", wrong: "bad", other: "unsure" }[state(trial)]));
    box.append(head);
    if (trial.outcome !== "answered") box.append(make("div", `${trial.outcome}${trial.failure ? `: ${trial.failure}` : ""}`, "unsure small"));
    if (trial.text !== null) box.append(answer(trial.text, trial.fault, trial.violation));
    if (trial.cut) box.append(make("p", "The answer is longer than this page keeps.", "small unsure"));
    if (trial.violation) box.append(make("div", `invalid: ${trial.violation}${trial.valid_lenient ? " (valid if parsed leniently)" : ""}`, "violation"));
    if (trial.reasoning) { const more = make("details"); more.append(make("summary", "reasoning", "small soft"), long(trial.reasoning)); box.append(more); }
    if (trial.documents) box.append(make("div", `documents: ${trial.documents}`, "small soft"));
    for (const attempt of trial.attempts) box.append(make("div", `attempt before: ${attempt}`, "small unsure"));
    box.append(make("div", facts(trial), "small soft"), raw(place, variant, number));
    return box;
  };
  const described = (place, item) => {
    const all = part("all").getAttribute("aria-pressed") === "true";
    const first = [choice("a"), choice("b")].filter((variant) => variant !== null);
    const order = [...new Set(first.concat(all || first.length === 0 ? variants.map((_, variant) => variant) : []))];
    const about = make("dl", "", "facts");
    const fact = (name, value) => about.append(make("dt", name), make("dd", value));
    if (item.cluster !== null) fact("cluster", item.cluster);
    for (const [tag, value] of Object.entries(item.tags)) fact(tag, value);
    const answers = make("div", "", "answers");
    for (const variant of order) {
      answers.append(...item.trials[variant].map((trial, number) => card(place, variant, trial, number, item.trials[variant].length > 1)));
    }
    return [make("h3", item.id, "id"), about, make("h3", "input"), long(readable(item.input)), make("h3", "right answer"), long(readable(item.expected)),
      make("h3", "answers"), answers];
  };
  const show = async (place) => {
    // A slow chunk must not put its example under a row that was chosen after it.
    const own = ++showing;
    let parts;
    try { parts = described(place, await example(place)); } catch (error) { parts = [make("p", `This example cannot be shown: ${error.message}`, "bad")]; }
    if (own !== showing) return;
    const inside = detail.contains(document.activeElement);
    detail.replaceChildren(...parts);
    detail.scrollTop = 0;
    if (inside) detail.focus();
  };
  const select = async (place, remember = true) => {
    selected = place;
    const top = line() * HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
    drawList();
    const named = `#example=${encodeURIComponent(ids[place])}`;
    if (remember || location.hash.startsWith("#example=")) history.replaceState(null, "", named);
    await show(place);
  };

  // Hands.
  let waiting = 0;
  filters.addEventListener("input", (event) => {
    if (event.target.name === "tag") values();
    clearTimeout(waiting);
    waiting = setTimeout(refresh, event.target.name === "search" ? 150 : 0);
  });
  const clear = () => {
    for (const name of ["search", "outcome", "flip", "together", "tag", "value"]) control(name).value = "";
    values();
    return refresh();
  };
  part("clear").addEventListener("click", clear);
  part("all").addEventListener("click", () => {
    const button = part("all");
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    if (selected !== null) show(selected);
  });
  list.addEventListener("scroll", () => requestAnimationFrame(drawList));
  addEventListener("resize", drawList);
  const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  const inSight = () => { const box = root.getBoundingClientRect(); return box.top < innerHeight && box.bottom > 0; };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof Element && event.target.matches("input, select, textarea");
    if (typing) { if (event.key === "Escape") event.target.blur(); return; }
    if (event.key === "/") { event.preventDefault(); control("search").focus(); return; }
    const step = STEPS[event.key];
    const meant = document.activeElement === list || (event.key.length === 1 && inSight());
    if (!step || !meant || found.length === 0) return;
    event.preventDefault();
    select(found[Math.max(0, Math.min(found.length - 1, line() + step))]);
  });
  const wanted = async () => {
    let id = location.hash.match(/^#example=(.*)$/)?.[1] ?? "";
    try { id = decodeURIComponent(id); } catch { id = ""; }
    const place = id ? ids.indexOf(id) : -1;
    if (place < 0) return;
    // An address that names an example shows it, whatever the filters hide.
    if (!found.includes(place)) await clear();
    root.scrollIntoView();
    await select(place, false);
  };
  addEventListener("hashchange", wanted);

  values();
  if (index.dropped.length) part("dropped").textContent = `Tags with too many values to choose from: ${plain(index.dropped.join(", "))}. The search finds them.`;
  for (const hidden of root.querySelectorAll(":scope > [hidden]:not([data-role])")) hidden.hidden = false;
  root.dataset.ready = "yes";
  await refresh();
  await wanted();
})();
