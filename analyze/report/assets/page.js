"use strict";
(() => {
  const status = document.getElementById("status");
  const frames = (list) => (list.length === 1 ? "frame " : "frames ") + list.join(", ");
  const words = (s) => (s ? s.split(" ") : []);

  // related returns the keys of what belongs to an element: "c11" for a call, "f12" for a frame.
  function related(el, article) {
    const keys = new Set();
    const frame = (n) => article.querySelector(`[data-frame="${CSS.escape(n)}"]`);
    if (el.dataset.call) {
      for (const f of words(el.dataset.caused)) {
        keys.add("f" + f);
        for (const c of words(frame(f)?.dataset.returned)) keys.add("c" + c);
      }
      for (const f of words(el.dataset.returnedBy)) keys.add("f" + f);
    } else {
      for (const c of words(el.dataset.roots)) keys.add("c" + c);
      for (const c of words(el.dataset.returned)) keys.add("c" + c);
      if (el.dataset.retransmits) keys.add("f" + el.dataset.retransmits);
      for (const again of article.querySelectorAll(`[data-retransmits="${CSS.escape(el.dataset.frame)}"]`)) {
        keys.add("f" + again.dataset.frame);
      }
    }
    return keys;
  }

  const keyOf = (el) => (el.dataset.call ? "c" + el.dataset.call : "f" + el.dataset.frame);
  const shownKeys = "tr[data-call], [data-frame], g[data-call]";
  let current = null;

  function light(el) {
    const article = el?.closest(".connection") ?? null;
    if (el === current) return;
    for (const old of document.querySelectorAll(".lit, .from")) old.classList.remove("lit", "from");
    current = el;
    status.textContent = "";
    if (!article) return;
    const own = keyOf(el), keys = related(el, article);
    for (const other of article.querySelectorAll(shownKeys)) {
      const key = keyOf(other);
      if (key === own) other.classList.add("lit", "from");
      else if (keys.has(key)) other.classList.add("lit");
    }
    status.textContent = told(el, article, keys);
  }

  // told says in words what is lit.
  function told(el, article, keys) {
    const calls = [...keys].filter((k) => k[0] === "c").map((k) => k.slice(1));
    if (el.dataset.call) {
      const row = article.querySelector(`tr[data-call="${CSS.escape(el.dataset.call)}"]`);
      const parts = [row ? "#" + row.dataset.copy.split("\t").slice(0, 4).filter((_, i) => i !== 1).join("  ") : "#" + el.dataset.call];
      const caused = words(el.dataset.caused), by = words(el.dataset.returnedBy);
      parts.push(caused.length ? "caused " + frames(caused) : "caused nothing on the wire");
      if (by.length) parts.push("returned because of " + frames(by));
      const made = calls.filter((c) => c !== el.dataset.call);
      if (made.length) parts.push("which made #" + made.join(", #") + " return");
      return parts.join(" · ");
    }
    const parts = ["frame " + el.dataset.frame + ", sent by the " + el.dataset.from];
    if (words(el.dataset.roots).length) parts.push("caused by #" + words(el.dataset.roots).join(", #"));
    if (words(el.dataset.returned).length) parts.push("made #" + words(el.dataset.returned).join(", #") + " return");
    if (el.dataset.retransmits) parts.push("repeats frame " + el.dataset.retransmits);
    if (el.dataset.lost) parts.push("seems lost: " + el.dataset.lost);
    return parts.join(" · ");
  }

  const lightable = (t) => (t instanceof Element ? t.closest(".connection :is(" + shownKeys + ")") : null);
  document.addEventListener("pointerover", (e) => light(lightable(e.target)));
  document.addEventListener("focusin", (e) => light(lightable(e.target)));
  document.addEventListener("pointerleave", () => light(null));

  // One stop for the Tab key in each picture and table; arrows move inside.
  const stops = (box) => [...box.querySelectorAll(box.matches("svg") ? ".row" : ":scope > tr")];
  function prepare(article) {
    for (const box of article.querySelectorAll("svg.ladder, table.rows > tbody")) {
      stops(box).forEach((el, i) => el.setAttribute("tabindex", i === 0 ? "0" : "-1"));
    }
    for (const input of article.querySelectorAll(".spacing input")) {
      input.addEventListener("change", () => space(article, input.value));
    }
  }

  function move(box, list, from, to) {
    const next = list[Math.max(0, Math.min(list.length - 1, to))];
    if (from >= 0) list[from].setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  }

  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") light(null);
    const stop = e.target instanceof Element ? e.target.closest("[tabindex]") : null;
    const box = stop?.closest("svg.ladder, tbody");
    if (!box || e.ctrlKey || e.altKey || e.metaKey) return;
    const list = stops(box).filter((el) => el.hasAttribute("tabindex"));
    const at = list.indexOf(stop);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: list.length - 1 }[e.key];
    if (at < 0 || to === undefined) return;
    e.preventDefault();
    move(box, list, at, to);
  });

  // space puts the rows of a picture at even distances, or at distances that tell the time.
  function space(article, how) {
    for (const svg of article.querySelectorAll("svg.ladder")) spaceOne(svg, how);
  }

  function spaceOne(svg, how) {
    const rows = [...svg.querySelectorAll(".row")];
    const height = Number(how === "even" ? svg.dataset.evenHeight : svg.dataset.scaledHeight);
    const top = (i) => (i < rows.length ? Number(how === "even" ? rows[i].dataset.even : rows[i].dataset.scaled) : height);
    rows.forEach((row, i) => row.setAttribute("transform", `translate(0 ${top(i)})`));
    for (const piece of svg.querySelectorAll("[data-first]")) {
      const from = top(Number(piece.dataset.first));
      piece.setAttribute("y", from + 8);
      piece.setAttribute("height", Math.max(0, top(Number(piece.dataset.last)) - from));
    }
    svg.setAttribute("viewBox", `0 0 ${svg.viewBox.baseVal.width} ${height}`);
  }

  // Copying takes whole rows as plain text: one line a row, tabs between the cells.
  document.addEventListener("copy", (e) => {
    const selection = document.getSelection();
    let rows = [];
    if (!selection || selection.isCollapsed) {
      const focused = document.activeElement?.closest("tr[data-copy]");
      if (focused) rows = [focused];
    } else {
      rows = [...document.querySelectorAll("tr[data-copy]")].filter((r) => selection.containsNode(r, true));
      const cell = (n) => (n instanceof Element ? n : n?.parentElement)?.closest("td");
      if (rows.length === 1 && cell(selection.anchorNode) === cell(selection.focusNode)) {
        e.clipboardData.setData("text/plain", selection.toString());
        e.preventDefault();
        return;
      }
    }
    if (rows.length === 0) return;
    e.clipboardData.setData("text/plain", rows.map((r) => r.dataset.copy).join("\n"));
    e.preventDefault();
  });

  for (const article of document.querySelectorAll(".connection")) prepare(article);
  const data = JSON.parse(document.getElementById("data").textContent);
  if (data) list(data);

  function list(data) {
    const body = document.querySelector(".connections tbody");
    const rest = document.getElementById("rest");
    const shown = document.getElementById("shown");
    const chunks = new Map();
    const step = 200;
    const place = Object.fromEntries(data.columns.map((c, i) => [c.key, i]));
    const parts = (cell) => (Array.isArray(cell) ? cell : [cell, cell]);
    const value = (row, key) => parts(row[place[key]])[0];
    let order = { by: "id", down: false }, picked = data.rows, drawn = 0;

    function unpack(n) {
      if (!chunks.has(n)) {
        const bytes = Uint8Array.from(atob(data.chunks[n]), (c) => c.charCodeAt(0));
        const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
        chunks.set(n, new Response(stream).json());
      }
      return chunks.get(n);
    }

    const index = new Map(data.rows.map((r, i) => [value(r, "id"), i]));
    async function toggle(row, item) {
      if (row.getAttribute("aria-expanded") === "true") {
        row.setAttribute("aria-expanded", "false");
        row.nextElementSibling.remove();
        return;
      }
      row.setAttribute("aria-expanded", "true");
      const detail = document.createElement("tr");
      detail.className = "detail";
      const cell = detail.appendChild(document.createElement("td"));
      cell.colSpan = data.columns.length;
      row.after(detail);
      const i = index.get(value(item, "id"));
      const articles = await unpack(Math.floor(i / data.perChunk));
      const parsed = new DOMParser().parseFromString(articles[i % data.perChunk], "text/html");
      const article = document.adoptNode(parsed.querySelector("article"));
      cell.append(article);
      prepare(article);
    }

    const number = new Intl.NumberFormat("en-US");

    function draw(item) {
      const row = document.createElement("tr");
      row.className = "item";
      row.tabIndex = drawn === 0 ? 0 : -1;
      row.dataset.id = value(item, "id");
      row.dataset.ending = value(item, "ending");
      row.setAttribute("aria-expanded", "false");
      const text = [];
      data.columns.forEach((column, i) => {
        const cell = row.appendChild(document.createElement("td"));
        const [, words, className] = parts(item[i]);
        cell.textContent = words;
        cell.className = [column.class, className].filter(Boolean).join(" ");
        text.push(words);
      });
      row.dataset.copy = text.join("\t");
      return row;
    }

    function more(n) {
      const part = document.createDocumentFragment();
      for (const item of picked.slice(drawn, drawn + n)) {
        part.append(draw(item));
        drawn++;
      }
      body.append(part);
      const left = picked.length - drawn;
      rest.textContent = left > 0 ? `${number.format(left)} more below: scroll` : "";
      shown.textContent = `${number.format(picked.length)} of ${number.format(data.rows.length)} connections`;
    }

    function refresh() {
      const endings = new Set([...document.querySelectorAll('.choice[data-ending][aria-pressed="true"]')].map((b) => b.dataset.ending));
      const cause = document.getElementById("cause")?.value ?? "";
      const address = document.getElementById("address").value.trim();
      const found = document.querySelector('[data-found][aria-pressed="true"]')?.dataset.found;
      const rows = found === undefined ? data.rows : data.found[found].map((i) => data.rows[i]);
      picked = rows.filter((r) => (endings.size === 0 || endings.has(value(r, "ending"))) && (!cause || value(r, "cause") === cause) &&
        (!address || value(r, "client").includes(address) || value(r, "server").includes(address)));
      const { by, down } = order;
      const compare = (a, b) => {
        const x = value(a, by), y = value(b, by);
        return x < y ? -1 : x > y ? 1 : value(a, "id") - value(b, "id");
      };
      picked.sort((a, b) => (down ? compare(b, a) : compare(a, b)));
      body.replaceChildren();
      drawn = 0;
      more(step);
    }

    for (const show of document.querySelectorAll("[data-found]")) {
      show.addEventListener("click", () => {
        const on = show.getAttribute("aria-pressed") !== "true";
        for (const other of document.querySelectorAll("[data-found]")) other.setAttribute("aria-pressed", "false");
        show.setAttribute("aria-pressed", String(on));
        refresh();
        if (on) document.querySelector(".connections").scrollIntoView({ block: "nearest" });
      });
    }
    for (const choice of document.querySelectorAll(".choice[data-ending]")) {
      choice.addEventListener("click", () => {
        choice.setAttribute("aria-pressed", String(choice.getAttribute("aria-pressed") !== "true"));
        refresh();
      });
    }
    for (const head of document.querySelectorAll("th button[data-sort]")) {
      head.addEventListener("click", () => {
        const by = head.dataset.sort;
        order = { by, down: order.by === by ? !order.down : false };
        for (const th of document.querySelectorAll(".connections th")) th.removeAttribute("aria-sort");
        head.parentElement.setAttribute("aria-sort", order.down ? "descending" : "ascending");
        refresh();
      });
    }
    document.getElementById("cause")?.addEventListener("change", refresh);
    document.getElementById("address").addEventListener("input", refresh);
    const opened = (e) => {
      const row = e.target instanceof Element ? e.target.closest("tr.item") : null;
      if (row) toggle(row, data.rows[index.get(Number(row.dataset.id))]);
      return row;
    };
    body.addEventListener("click", opened);
    body.addEventListener("keydown", (e) => {
      if ((e.key === "Enter" || e.key === " ") && e.target.matches?.("tr.item") && opened(e)) e.preventDefault();
    });
    new IntersectionObserver((seen) => {
      if (seen.some((s) => s.isIntersecting) && drawn < picked.length) more(step);
    }, { rootMargin: "600px" }).observe(rest);
    window.addEventListener("beforeprint", () => more(2000));
    refresh();
  }
})();
