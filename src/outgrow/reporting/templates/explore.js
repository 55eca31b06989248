(async () => {
  const { byId, make, ordered, saveCsv, toggleRow, unpack } = shared;
  const data = await unpack(byId("labels-data"));
  const PAGE = 50;
  const n = data.ids.length;
  const text = (number) => (number < 0 ? null : data.texts[number]);
  const whole = (number) => number.toLocaleString("en");
  const decimals = (value) => (value === null ? "—" : value.toFixed(2));
  const answersOf = (row) => Array.from({ length: data.starts[row + 1] - data.starts[row] }, (_, i) => data.starts[row] + i);
  const votesFor = (row) => {
    const at = data.votes[row].findIndex((each, i) => i % 2 === 0 && each === data.label[row]);
    return at < 0 ? null : data.votes[row][at + 1];
  };

  const cells = [
    { title: "Question", cls: "q", sort: (r) => text(data.asked[r]) ?? data.ids[r], fill: fillQuestion },
    { title: "Label", sort: (r) => text(data.label[r]), fill: (td, r) => { td.textContent = text(data.label[r]) ?? "—"; } },
    { title: "Source", hidden: !data.source, sort: (r) => text(data.source[r]), fill: (td, r) => { td.textContent = text(data.source[r]) ?? "—"; } },
    { title: "Votes", cls: "votes", hidden: !data.votes.some((v) => v.length), sort: votesFor, fill: fillVotes },
    { title: "Entropy", cls: "slim num", sort: (r) => data.entropy[r], fill: (td, r) => { td.textContent = decimals(data.entropy[r]); } },
    { title: "Reliability", cls: "slim num", sort: (r) => data.reliability[r], fill: (td, r) => { td.textContent = decimals(data.reliability[r]); } },
    { title: "By hand", cls: "slim hand", sort: (r) => decided.get(r) ?? null, fill: fillDecision },
    { title: "Invalid", cls: "slim num", hidden: !data.invalid.some((k) => k !== null), sort: (r) => data.invalid[r], fill: (td, r) => { td.textContent = data.invalid[r] ?? "—"; } },
  ].filter((cell) => !cell.hidden);
  const histograms = data.histograms.map((each) => {
    const all = new Array(each.names.length).fill(0);
    for (const bar of each.rows) all[bar] += 1;
    return { ...each, all, now: [...all], chosen: new Set(), bars: [] };
  });
  const byReliability = cells.find((cell) => cell.title === "Reliability");
  const start = data.reliability.some((value) => value !== null) ? byReliability : null; // least reliable first
  let order = { cell: start, down: false };
  let who = null; // the annotator whose questions are shown alone
  const decided = new Map(); // row to "keep" or "drop"
  let rows = [];
  let page = 0;
  let found = null; // rows the search leaves, as flags; null: all
  let lower = null;

  function fillQuestion(td, row) {
    const asked = text(data.asked[row]);
    const box = make("span");
    if (asked !== null) {
      const words = make("span", asked, "clamp");
      words.dir = "auto";
      box.append(words);
    }
    box.append(make("bdi", data.ids[row], asked === null ? "id lone" : "id"));
    if (!data.starts || data.starts[row] === data.starts[row + 1]) { td.append(box); return; }
    const button = make("button", null, "open");
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.append(box);
    button.addEventListener("click", () => toggle(button, row));
    td.append(button);
  }
  function fillDecision(td, row) {
    for (const [choice, mark] of [["keep", "✓"], ["drop", "✕"]]) {
      const button = make("button", mark, `choice ${choice}`);
      button.type = "button";
      button.title = choice;
      button.setAttribute("aria-label", `${choice} ${data.ids[row]}`);
      button.setAttribute("aria-pressed", String(decided.get(row) === choice));
      button.addEventListener("click", () => decide(td.closest("tr"), row, decided.get(row) === choice ? null : choice));
      td.append(button);
    }
  }
  function decide(tr, row, choice) {
    if (choice === null) decided.delete(row); else decided.set(row, choice);
    for (const button of tr.querySelectorAll(".choice")) button.setAttribute("aria-pressed", String(button.classList.contains(decided.get(row) ?? "-")));
    tr.dataset.decided = decided.get(row) ?? "";
    drawStatus();
  }
  function keys(event) {
    const tr = event.target.closest("#answers-table tbody tr:not(.detail)");
    if (!tr || event.ctrlKey || event.metaKey || event.altKey) return;
    const choice = { k: "keep", d: "drop", u: null }[event.key];
    if (choice !== undefined) { event.preventDefault(); decide(tr, Number(tr.dataset.row), choice); return; }
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (!step) return;
    event.preventDefault();
    let to = tr[step];
    while (to && to.classList.contains("detail")) to = to[step];
    if (to) to.querySelector("button")?.focus();
  }
  function fillVotes(td, row) {
    const votes = data.votes[row];
    if (!votes.length) td.textContent = "—";
    for (let i = 0; i < votes.length; i += 2) {
      const line = make("div");
      line.append(make("b", votes[i + 1]), " ", make("bdi", text(votes[i])));
      td.append(line);
    }
  }
  function toggle(button, row) {
    toggleRow(button, cells.length, (td) => {
      const list = make("ol", null, "said");
      for (const i of answersOf(row)) list.append(answer(i, row));
      td.append(list);
    });
  }
  function answer(i, row) {
    const said = data.answers;
    const value = text(said.value[i]);
    const item = make("li", null, value === null ? "invalid" : said.value[i] === data.label[row] ? "agrees" : null);
    const head = make("div", null, "head");
    const bold = make("b");
    bold.append(make("bdi", value ?? "(not parsed)"));
    head.append(bold);
    if (said.source) { const source = make("span", null, "which"); source.append(make("bdi", text(said.source[i]))); head.append(source); }
    if (!said.source || said.variant[i] || said.sample[i]) head.append(make("span", `wording ${said.variant[i]}, answer ${said.sample[i]}`, "which"));
    if (said.logprob[i] !== null) head.append(make("span", `log-probability ${said.logprob[i].toFixed(2).replace("-", "−")}`, "which"));
    item.append(head);
    for (const [number, cls] of [[said.text[i], "words text"], [said.prompt[i], "words"]]) {
      if (number < 0 || number === said.value[i] || (cls === "words" && number === data.asked[row])) continue;
      const words = make("div", text(number), cls);
      words.dir = "auto";
      item.append(words);
    }
    return item;
  }

  function setUp() {
    for (const each of histograms) {
      const box = make("div", null, "histogram");
      const head = make("header");
      const title = make("h3", each.title);
      title.id = `h-${each.key}`;
      each.clear = make("button", "Clear", "clear");
      each.clear.type = "button";
      each.clear.hidden = true;
      each.clear.setAttribute("aria-label", `Clear ${each.title}`);
      each.clear.addEventListener("click", () => { each.chosen.clear(); each.bars.find((bar) => bar.tabIndex === 0).focus(); filter(); });
      head.append(title, each.clear);
      const group = make("div");
      group.setAttribute("role", "group");
      group.setAttribute("aria-labelledby", title.id);
      each.names.forEach((name, k) => {
        const bar = make("button", null, "bar");
        bar.type = "button";
        bar.tabIndex = k ? -1 : 0;
        const label = make("span", null, "name");
        label.append(make("bdi", name));
        const track = make("span", null, "track");
        track.append(make("span", null, "all"), make("span", null, "now"));
        bar.append(label, track, make("span", null, "count"));
        bar.title = name;
        bar.addEventListener("click", () => { if (!each.chosen.delete(k)) each.chosen.add(k); step(each, k); filter(); });
        bar.addEventListener("keydown", (event) => {
          const to = { ArrowDown: k + 1, ArrowRight: k + 1, ArrowUp: k - 1, ArrowLeft: k - 1, Home: 0, End: each.names.length - 1 }[event.key];
          if (to === undefined) return;
          event.preventDefault();
          step(each, Math.min(Math.max(0, to), each.names.length - 1)).focus();
        });
        each.bars.push(bar);
        group.append(bar);
      });
      box.append(head, group);
      each.box = box;
      byId("bars").append(box);
    }
    let wait = 0;
    byId("f-text").addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => { search(); filter(); }, n > 5000 ? 200 : 0); });
    byId("f-reset").addEventListener("click", reset);
    byId("f-save").addEventListener("click", save);
    byId("f-decisions").addEventListener("click", saveDecisions);
    byId("answers-table").addEventListener("keydown", keys);
    if (data.people) annotatorsTable(data, (each) => { who = each; filter(); byId("questions").scrollIntoView(); });
    for (const [id, go] of [["p-first", () => 0], ["p-previous", () => page - 1], ["p-next", () => page + 1], ["p-last", () => Infinity]]) {
      byId(id).addEventListener("click", () => { page = go(); drawBody(); byId("questions").scrollIntoView(); });
    }
    drawHead();
    byId("app").hidden = false;
  }
  function step(each, k) {
    each.bars.forEach((bar, i) => { bar.tabIndex = i === k ? 0 : -1; });
    return each.bars[k];
  }
  function reset() {
    for (const each of histograms) each.chosen.clear();
    byId("f-text").value = "";
    order = { cell: start, down: false };
    who = null;
    search();
    drawHead();
    filter();
  }
  function search() {
    const words = byId("f-text").value.toLowerCase().trim();
    if (!words) { found = null; return; }
    lower ??= { texts: data.texts.map((t) => t.toLowerCase()), ids: data.ids.map((t) => t.toLowerCase()) };
    const has = lower.texts.map((t) => t.includes(words));
    const said = data.answers;
    found = new Uint8Array(n);
    for (let r = 0; r < n; r += 1) {
      found[r] = lower.ids[r].includes(words) || has[data.asked[r]] || has[data.label[r]] || (data.source && has[data.source[r]])
        || data.votes[r].some((number, i) => i % 2 === 0 && has[number])
        || (data.starts && answersOf(r).some((i) => has[said.value[i]] || has[said.text[i]] || has[said.prompt[i]])) ? 1 : 0;
    }
  }
  function filter() {
    const active = histograms.filter((each) => each.chosen.size);
    for (const each of histograms) each.now.fill(0);
    rows = [];
    for (let r = 0; r < n; r += 1) {
      if (found && !found[r]) continue;
      if (who && !answersOf(r).some((i) => data.answers.source[i] === who.number)) continue;
      let missed = null;
      let fails = 0;
      for (const each of active) if (!each.chosen.has(each.rows[r])) { fails += 1; missed = each; if (fails > 1) break; }
      if (fails === 0) { rows.push(r); for (const each of histograms) each.now[each.rows[r]] += 1; }
      if (fails === 1) missed.now[missed.rows[r]] += 1; // a bar shows what choosing it would bring
    }
    if (order.cell) ordered(rows, order.cell.sort, order.down);
    page = 0;
    drawBars();
    drawStatus();
    drawBody();
  }
  function drawBars() {
    for (const each of histograms) {
      const most = Math.max(...each.all);
      each.box.classList.toggle("chosen", each.chosen.size > 0);
      each.clear.hidden = !each.chosen.size;
      each.bars.forEach((bar, k) => {
        const [name, track, count] = bar.children;
        const [all, now] = track.children;
        all.style.width = `${(100 * each.all[k]) / most}%`;
        now.style.width = `${(100 * each.now[k]) / most}%`;
        now.classList.toggle("none", each.now[k] === 0);
        count.textContent = whole(each.now[k]);
        bar.setAttribute("aria-pressed", String(each.chosen.has(k)));
        bar.setAttribute("aria-label", `${name.textContent}: ${whole(each.now[k])} of ${whole(each.all[k])} questions`);
      });
    }
  }
  function drawStatus() {
    const known = rows.map((r) => data.reliability[r]).filter((value) => value !== null);
    const mean = known.length ? ` · mean reliability ${(known.reduce((a, b) => a + b, 0) / known.length).toFixed(2)}` : "";
    const by = who ? ` · answered by ${who.annotator}` : "";
    const byHand = decided.size ? ` · ${whole(decided.size)} decided by hand` : "";
    byId("answers-status").textContent = `${whole(rows.length)} of ${whole(n)} questions${mean}${by}${byHand}`;
    byId("f-reset").disabled = !found && !who && order.cell === start && !order.down && !histograms.some((each) => each.chosen.size);
    byId("f-decisions").disabled = !decided.size;
    byId("f-save").disabled = !rows.length;
  }
  function drawHead() {
    const head = make("tr");
    for (const cell of cells) {
      const th = make("th", null, cell.cls);
      th.scope = "col";
      th.setAttribute("aria-sort", order.cell === cell ? (order.down ? "descending" : "ascending") : "none");
      const button = make("button", cell.title);
      button.type = "button";
      button.addEventListener("click", () => {
        order = { cell, down: order.cell === cell && !order.down };
        drawHead();
        byId("answers-table").querySelectorAll("thead button")[cells.indexOf(cell)].focus();
        filter();
      });
      th.append(button);
      head.append(th);
    }
    document.querySelector("#answers-table thead").replaceChildren(head);
  }
  function drawBody() {
    const last = Math.max(0, Math.ceil(rows.length / PAGE) - 1);
    page = Math.min(Math.max(0, page), last);
    const body = document.createDocumentFragment();
    for (const r of rows.slice(page * PAGE, page * PAGE + PAGE)) {
      const tr = make("tr");
      tr.dataset.row = r;
      tr.dataset.decided = decided.get(r) ?? "";
      for (const cell of cells) {
        const td = make("td", null, cell.cls);
        td.dir = "auto";
        cell.fill(td, r);
        tr.append(td);
      }
      body.append(tr);
    }
    if (!rows.length) {
      const td = make("td", "No question has all of this. Clear a histogram or the search.");
      td.colSpan = cells.length;
      td.className = "absent";
      const tr = make("tr");
      tr.append(td);
      body.append(tr);
    }
    document.querySelector("#answers-table tbody").replaceChildren(body);
    byId("p-where").textContent = `Page ${whole(page + 1)} of ${whole(last + 1)}`;
    byId("p-first").disabled = byId("p-previous").disabled = page === 0;
    byId("p-next").disabled = byId("p-last").disabled = page === last;
  }
  function save() {
    const votes = (r) => data.votes[r].map((each, i) => (i % 2 ? `: ${each}` : (i ? ", " : "") + text(each))).join("");
    const lines = [["example_id", "question", "label", "votes", "entropy", "reliability", "n_invalid"]];
    for (const r of rows) lines.push([data.ids[r], text(data.asked[r]), text(data.label[r]), votes(r), data.entropy[r], data.reliability[r], data.invalid[r]]);
    saveCsv("labels.csv", lines);
  }
  function saveDecisions() {
    const lines = [["example_id", "decision"]];
    for (const [row, choice] of [...decided].sort((a, b) => a[0] - b[0])) lines.push([data.ids[row], choice]);
    saveCsv("decisions.csv", lines);
  }
  setUp();
  filter();
})();
