"use strict";
// Text from models, servers and data sets as elements: never as markup, and with what does not show made visible.
const ceilingText = (() => {
  // Controls, what turns text around, and what takes no room; joiners stay, since scripts and emoji need them.
  const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd\u{e0000}-\u{e007f}]/gu;
  const MOST_SHOWN = 20_000;
  const DEEPEST = 64;
  const name = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

  // For attributes and options, which hold no elements.
  const plain = (text) => text.replace(UNSEEN, (character) => `⟨${name(character)}⟩`);
  const shown = (text) => {
    const fragment = document.createDocumentFragment();
    let from = 0;
    for (const match of text.matchAll(UNSEEN)) {
      fragment.append(text.slice(from, match.index));
      const mark = document.createElement("span");
      mark.className = "control";
      mark.textContent = name(match[0]);
      fragment.append(mark);
      from = match.index + match[0].length;
    }
    fragment.append(text.slice(from));
    return fragment;
  };
  const make = (tag, text = "", className = "") => {
    const element = document.createElement(tag);
    if (text) element.append(shown(text));
    if (className) element.className = className;
    return element;
  };
  // A long text by its beginning, with a button for the rest.
  const long = (text) => {
    const box = make("div");
    const pre = make("pre", text.slice(0, MOST_SHOWN));
    box.append(pre);
    if (text.length > MOST_SHOWN) {
      const more = make("button", `show all ${text.length.toLocaleString("en")} characters`);
      more.type = "button";
      more.addEventListener("click", () => { pre.replaceChildren(shown(text)); more.remove(); });
      box.append(more);
    }
    return box;
  };

  // JSON laid out in lines, each with the pointer of what stands in it. Literals stay as they were written: a number
  // of twenty digits, `1.0` and a key that comes twice are what is to be seen. Null where it is not worth it.
  const lines = (text) => {
    if (text.length > MOST_SHOWN) return null;
    try {
      const value = JSON.parse(text);
      if (value === null || typeof value !== "object") return null;
    } catch { return null; }
    const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
    const done = [];
    const stack = [];
    let line = { pointer: "", text: "" };
    const push = () => { done.push(line); line = { pointer: null, text: "  ".repeat(stack.length) }; };
    const escaped = (key) => String(key).replaceAll("~", "~0").replaceAll("/", "~1");
    const here = () => stack.map((level) => `/${escaped(level.key)}`).join("");
    for (let place = 0; place < tokens.length; place += 1) {
      const token = tokens[place];
      const level = stack.at(-1);
      if (token === "{" || token === "[") {
        line.text += token;
        if (stack.length >= DEEPEST) return null;
        stack.push({ list: token === "[", key: 0 });
        if (tokens[place + 1] === "}" || tokens[place + 1] === "]") {
          line.text += tokens[place + 1];
          stack.pop();
          place += 1;
        } else {
          push();
          if (token === "[") line.pointer = here();
        }
      } else if (token === "}" || token === "]") {
        stack.pop();
        push();
        line.text += token;
      } else if (token === ",") {
        line.text += token;
        if (level?.list) level.key += 1;
        push();
        if (level?.list) line.pointer = here();
      } else if (token === ":") {
        line.text += ": ";
      } else if (level && !level.list && tokens[place + 1] === ":") {
        level.key = JSON.parse(token);
        line.pointer = here();
        line.text += token;
      } else {
        line.text += token;
      }
    }
    done.push(line);
    return done;
  };
  // An answer, with the place of its first fault framed: `fault` is { pointer } or { offset }, in characters.
  const answer = (text, fault, says) => {
    const framed = (part) => {
      const mark = make("mark", part || " ", "fault");
      mark.dataset.tip = plain(says ?? "");
      return mark;
    };
    const laid = fault?.offset === undefined ? lines(text) : null;
    const pre = make("pre");
    if (laid) {
      laid.forEach((line, place) => {
        if (place) pre.append("\n");
        const hit = fault?.pointer !== undefined && line.pointer === fault.pointer;
        pre.append(hit ? framed(line.text) : shown(line.text));
      });
      return pre;
    }
    if (fault?.offset === undefined || fault.offset > MOST_SHOWN) return long(text);
    const end = fault.offset + 1;
    pre.append(shown(text.slice(0, fault.offset)), framed(text.slice(fault.offset, end)), shown(text.slice(end, MOST_SHOWN)));
    return pre;
  };
  const body = (text) => {
    const laid = lines(text);
    return long(laid ? laid.map((line) => line.text).join("\n") : text);
  };
  return { plain, shown, make, long, answer, body };
})();
