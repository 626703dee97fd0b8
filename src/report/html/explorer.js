"use strict";
// The examples: an index to filter by, and chunks that are opened when they are looked at.
// Whatever a model, a server or a data set says is set as text, never as markup.
(async () => {
  const root = document.getElementById("explorer");
  const part = (role) => root.querySelector(`[data-role="${role}"]`);
  const problem = (text) => { const box = part("problem"); box.textContent = text; box.hidden = false; };
  if (typeof DecompressionStream === "undefined") {
    problem("This browser cannot open the examples (it lacks DecompressionStream); everything above is whole.");
    return;
  }

  // Data: elements of base64, decompressed once and kept for a while.
  const KEPT = 40;
  const opened = new Map();
  const unpack = async (id) => {
    const element = document.getElementById(id);
    if (!element) return null;
    const bytes = Uint8Array.from(atob(element.textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return JSON.parse(await new Response(stream).text());
  };
  const open = (id) => {
    const found = opened.get(id) ?? unpack(id);
    opened.delete(id);
    opened.set(id, found);
    if (opened.size > KEPT) opened.delete(opened.keys().next().value);
    return found;
  };
  const index = await unpack("index");
  if (!index) { problem("This page was written without its examples."); return; }
  const { ids, variants, codes, tags } = index;
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

  // Text: characters that do not show, or that turn text around, are shown as what they are.
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ufffd]/g;
  const make = (name, text = "", className = "") => {
    const element = document.createElement(name);
    if (text) element.append(shown(text));
    if (className) element.className = className;
    return element;
  };
  const shown = (text) => {
    const fragment = document.createDocumentFragment();
    let from = 0;
    for (const match of text.matchAll(UNSEEN)) {
      if (match[0] === "\n" || match[0] === "\t") continue;
      fragment.append(text.slice(from, match.index));
      const mark = document.createElement("span");
      mark.className = "control";
      mark.textContent = `U+${match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
      fragment.append(mark);
      from = match.index + match[0].length;
    }
    fragment.append(text.slice(from));
    return fragment;
  };
  const MOST_SHOWN = 20_000;
  const long = (text, className = "") => {
    const box = make("div");
    const pre = make("pre", text.slice(0, MOST_SHOWN), className);
    box.append(pre);
    if (text.length > MOST_SHOWN) {
      const more = make("button", `show all ${text.length.toLocaleString("en")} characters`);
      more.type = "button";
      more.addEventListener("click", () => { pre.replaceChildren(shown(text)); more.remove(); });
      box.append(more);
    }
    return box;
  };
  const readable = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

  // JSON by lines, each with the pointers of what it holds, so that the first violation is marked where it is.
  const lines = (value, pointer = "", indent = "", key = "") => {
    const head = indent + (key === "" ? "" : `${JSON.stringify(key)}: `);
    if (value === null || typeof value !== "object") return [{ pointer, text: head + JSON.stringify(value) }];
    const list = Array.isArray(value);
    const entries = list ? value.map((item, place) => [place, item]) : Object.entries(value);
    const [begin, end] = list ? ["[", "]"] : ["{", "}"];
    if (entries.length === 0) return [{ pointer, text: head + begin + end }];
    const escaped = (name) => String(name).replaceAll("~", "~0").replaceAll("/", "~1");
    const inner = entries.flatMap(([name, item], place) => {
      const own = lines(item, `${pointer}/${escaped(name)}`, `${indent}  `, list ? "" : name);
      if (place < entries.length - 1) own[own.length - 1].text += ",";
      return own;
    });
    return [{ pointer, text: head + begin }, ...inner, { pointer: null, text: indent + end }];
  };
  const answer = (trial) => {
    let value;
    try { value = JSON.parse(trial.text); } catch { return long(trial.text); }
    if (value === null || typeof value !== "object" || trial.text.length > MOST_SHOWN) return long(trial.text);
    const at = trial.violation?.match(/^(\/[^:]*): /)?.[1] ?? (trial.violation ? "" : null);
    const pre = make("pre");
    lines(value).forEach((line, place) => {
      const text = (place ? "\n" : "") + line.text;
      if (at !== null && line.pointer === at) {
        const mark = make("mark", text.replace(/^\n/, ""), "fault");
        mark.dataset.tip = trial.violation;
        if (place) pre.append("\n");
        pre.append(mark);
      } else pre.append(shown(text));
    });
    return pre;
  };

  // Filters.
  const filters = root.querySelector(".filters");
  const control = (name) => filters.querySelector(`[name="${name}"]`);
  const LETTERS = { r: "✓", w: "✗", i: "!", f: "⊘", c: "✂", x: "?", u: "~", "-": "·" };
  control("tag").append(...Object.keys(tags).map((tag) => new Option(tag, tag)));
  const values = () => {
    const column = tags[control("tag").value];
    control("value").replaceChildren(new Option("any", ""), ...(column?.values ?? []).map((value, place) => new Option(value, String(place))));
  };
  const right = (variant, place) => codes[variant][place] === "r";
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
    const chosen = (name) => (control(name).value === "" ? null : Number(control(name).value));
    const [a, b, outcome, flip, together] = [chosen("a"), chosen("b"), control("outcome").value, FLIPS[control("flip").value], TOGETHER[control("together").value]];
    const [column, value] = [tags[control("tag").value], chosen("value")];
    const asked = variants.map((_, variant) => variant);
    return (place) => {
      if (column && value !== null && column.of[place] !== value) return false;
      if (outcome) {
        const of = a === null ? asked : [a];
        const fits = (variant) => (outcome === "not-r" ? !"r-".includes(codes[variant][place]) : codes[variant][place] === outcome);
        if (!of.some(fits)) return false;
      }
      if (flip && a !== null && b !== null) {
        if (codes[a][place] === "-" || codes[b][place] === "-" || !flip(right(a, place), right(b, place))) return false;
      }
      if (together) {
        const known = asked.filter((variant) => codes[variant][place] !== "-");
        if (!together(known.filter((variant) => right(variant, place)).length, known.length)) return false;
      }
      return true;
    };
  };
  const holds = (item, words) => {
    const text = [item.id, readable(item.input), readable(item.expected), ...Object.values(item.tags),
      ...item.trials.flat().flatMap((trial) => [trial.text, trial.violation, trial.failure])].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  };

  // The list: only the rows in sight exist.
  const HEIGHT = 46;
  const list = root.querySelector(".list");
  const rows = list.querySelector(".rows");
  const detail = root.querySelector(".detail");
  let found = [];
  let selected = -1;
  let search = 0;
  const COLOURS = { r: "good", w: "bad", i: "bad" };
  const cells = (place) => {
    const box = make("span", "", "cells");
    box.append(...codes.map((code) => make("span", LETTERS[code[place]], COLOURS[code[place]] ?? "unsure")));
    return box;
  };
  const drawList = () => {
    rows.style.height = `${found.length * HEIGHT}px`;
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 6);
    const last = Math.min(found.length, first + Math.ceil(list.clientHeight / HEIGHT) + 12);
    const wanted = [];
    for (let line = first; line < last; line += 1) {
      const place = found[line];
      const row = make("div", "", "row");
      row.style.top = `${line * HEIGHT}px`;
      row.id = `row-${line}`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(line === selected));
      const head = make("div", "", "head");
      head.append(make("span", ids[place], "id"), cells(place));
      const snippet = make("div", "", "snippet");
      row.append(head, snippet);
      row.addEventListener("click", () => select(line));
      wanted.push(row);
      example(place).then((item) => { snippet.replaceChildren(shown(readable(item.input).replace(/\s+/g, " ").slice(0, 120))); });
    }
    rows.replaceChildren(...wanted);
    list.setAttribute("aria-activedescendant", selected >= 0 ? `row-${selected}` : "");
  };
  const count = (note = "") => {
    part("count").textContent = `${found.length.toLocaleString("en")} of ${ids.length.toLocaleString("en")} examples`;
    part("note").textContent = note;
  };
  const refresh = async () => {
    const own = ++search;
    const fits = passes();
    const places = [];
    for (let place = 0; place < ids.length; place += 1) if (fits(place)) places.push(place);
    const words = control("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) {
      found = places;
    } else {
      const hits = [];
      let shownAt = 0;
      for (const [line, place] of places.entries()) {
        const item = await example(place);
        if (own !== search) return;
        if (holds(item, words)) hits.push(place);
        if (performance.now() - shownAt > 200) {
          shownAt = performance.now();
          found = [...hits];
          count(`searching: ${Math.round((line / places.length) * 100)}%`);
          drawList();
          await new Promise((resume) => setTimeout(resume));
          if (own !== search) return;
        }
      }
      found = hits;
    }
    selected = -1;
    count();
    list.scrollTop = 0;
    drawList();
    if (found.length) await select(0, false); else detail.replaceChildren(make("p", "No example is like that.", "soft"));
  };

  // The details of one example.
  const milliseconds = (ms) => `${ms.toLocaleString("en", { maximumFractionDigits: 1 })} ms`;
  const facts = (trial) => {
    const time = trial.total_ms === null ? "time not measured"
      : `${trial.ttft_ms === null ? "" : `first token ${milliseconds(trial.ttft_ms)}, `}whole ${milliseconds(trial.total_ms)}`;
    const { usage } = trial;
    const tokens = [["in", usage.input_uncached_tokens], ["cached", usage.cache_read_tokens],
      ["written", usage.cache_write_5m_tokens ?? usage.cache_write_1h_tokens], ["out", usage.output_tokens], ["reasoning", usage.reasoning_tokens]]
      .filter(([, number]) => number !== null && number !== undefined).map(([name, number]) => `${number} ${name}`).join(", ");
    const cost = trial.cost_usd === null ? "cost unknown" : `$${Number(trial.cost_usd.toPrecision(3))}`;
    return `${time} (${trial.source}) · ${tokens ? `tokens ${tokens}` : "tokens unknown"} · ${cost}`;
  };
  const formatted = (body) => { try { return JSON.stringify(JSON.parse(body), null, 2); } catch { return body; } };
  const raw = (place, variant, number) => {
    const box = make("details");
    box.append(make("summary", "request and response", "small soft"));
    box.addEventListener("toggle", async () => {
      if (!box.open || box.dataset.filled) return;
      box.dataset.filled = "yes";
      const pair = (await bodies(place))?.[variant]?.[number];
      if (!pair) {
        box.append(make("p", "Not in this page, which would grow too large: `ceiling show` prints them, and --bodies makes room.", "small"));
        return;
      }
      box.append(make("div", "request", "small soft"), long(formatted(pair[0])), make("div", "response", "small soft"), long(formatted(pair[1])));
    });
    return box;
  };
  const card = (place, variant, trial, number, several) => {
    const missing = trial.missing;
    const state = missing || trial.score === null ? "other" : trial.score >= 0.5 ? "right" : "wrong";
    const box = make("div", "", `card ${state}`);
    const head = make("h4", variants[variant] + (several ? ` · repeat ${number + 1}` : ""));
    const score = missing ? "? missing" : trial.score === null ? "~ not scored"
      : `${state === "right" ? "✓ right" : "✗ wrong"}${trial.score === 0 || trial.score === 1 ? "" : ` ${trial.score.toFixed(3)}`}`;
    head.append(make("span", score, state === "right" ? "good" : state === "wrong" ? "bad" : "unsure"));
    box.append(head);
    if (trial.outcome !== "answered") box.append(make("div", `${trial.outcome}${trial.failure ? `: ${trial.failure}` : ""}`, "unsure small"));
    if (trial.text !== null) box.append(answer(trial));
    if (trial.cut) box.append(make("p", "The answer is longer than this page keeps.", "small unsure"));
    if (trial.violation) box.append(make("div", `invalid: ${trial.violation}${trial.valid_lenient ? " (valid if parsed leniently)" : ""}`, "violation"));
    if (trial.reasoning) { const more = make("details"); more.append(make("summary", "reasoning", "small soft"), long(trial.reasoning)); box.append(more); }
    if (trial.documents) box.append(make("div", `documents: ${trial.documents}`, "small soft"));
    for (const attempt of trial.attempts) box.append(make("div", `attempt before: ${attempt}`, "small unsure"));
    box.append(make("div", facts(trial), "small soft"), raw(place, variant, number));
    return box;
  };
  const choice = (name) => (control(name).value === "" ? null : Number(control(name).value));
  const show = async (place) => {
    const item = await example(place);
    const all = part("all").getAttribute("aria-pressed") === "true";
    const first = [choice("a"), choice("b")].filter((variant) => variant !== null);
    const order = [...new Set(first.concat(all || first.length === 0 ? variants.map((_, variant) => variant) : []))];
    const head = make("h3", item.id, "id");
    const about = make("dl", "", "facts");
    const fact = (name, value) => about.append(make("dt", name), make("dd", value));
    if (item.cluster !== null) fact("cluster", item.cluster);
    for (const [tag, value] of Object.entries(item.tags)) fact(tag, value);
    const answers = make("div", "", "answers");
    for (const variant of order) {
      const trials = item.trials[variant];
      answers.append(...trials.map((trial, number) => card(place, variant, trial, number, trials.length > 1)));
    }
    detail.replaceChildren(head, about, make("h3", "input"), long(readable(item.input)), make("h3", "right answer"), long(readable(item.expected)), make("h3", "answers"), answers);
    detail.scrollTop = 0;
  };
  const select = async (line, remember = true) => {
    if (line < 0 || line >= found.length) return;
    selected = line;
    const top = line * HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
    drawList();
    if (remember) history.replaceState(null, "", `#example=${encodeURIComponent(ids[found[line]])}`);
    await show(found[line]);
  };

  // Hands.
  let waiting = 0;
  filters.addEventListener("input", (event) => {
    if (event.target.name === "tag") values();
    clearTimeout(waiting);
    waiting = setTimeout(refresh, event.target.name === "search" ? 150 : 0);
  });
  part("clear").addEventListener("click", () => {
    for (const name of ["search", "outcome", "flip", "together", "tag", "value"]) control(name).value = "";
    values();
    refresh();
  });
  part("all").addEventListener("click", () => {
    const button = part("all");
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    if (selected >= 0) show(found[selected]);
  });
  list.addEventListener("scroll", () => requestAnimationFrame(drawList));
  addEventListener("resize", drawList);
  const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target instanceof Element && event.target.matches("input, select, textarea");
    if (typing) { if (event.key === "Escape") event.target.blur(); return; }
    if (event.key === "/") { event.preventDefault(); control("search").focus(); return; }
    const inside = root.contains(document.activeElement);
    const step = STEPS[event.key];
    if (step && (inside || "jk".includes(event.key)) && !(document.activeElement === detail && event.key.length > 1)) {
      event.preventDefault();
      select(Math.max(0, Math.min(found.length - 1, selected + step)));
    }
  });
  const wanted = () => {
    let id = location.hash.match(/^#example=(.*)$/)?.[1] ?? "";
    try { id = decodeURIComponent(id); } catch { id = ""; }
    const line = id ? found.findIndex((place) => ids[place] === id) : -1;
    if (line >= 0) { root.scrollIntoView(); select(line, false); }
  };
  addEventListener("hashchange", wanted);

  for (const hidden of root.querySelectorAll(":scope > [hidden]:not([data-role])")) hidden.hidden = false;
  root.dataset.ready = "yes";
  await refresh();
  wanted();
})();
