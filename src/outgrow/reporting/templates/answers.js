(async () => {
  const holder = document.getElementById("answers-data");
  if (!holder) return;
  const { byId, make, ordered, saveCsv, unpack } = shared;
  const data = await unpack(holder);
  const PAGE = 50;
  const text = (n) => (n < 0 ? null : data.texts[n]);
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const n = data.row_question.length;
  const question = (row) => data.questions[data.row_question[row]];
  const gold = (row) => question(row)[3];
  const isRight = (who, row) => data.said[who][row] === gold(row);

  const cells = [
    { title: "Question", cls: "q", sort: (r) => text(question(r)[1]), fill: fillQuestion },
    { title: "Gold", sort: (r) => text(gold(r)), fill: (td, r) => { td.textContent = text(gold(r)); } },
    { title: "Kind", sort: (r) => text(question(r)[4]), fill: (td, r) => { td.textContent = text(question(r)[4]) ?? "—"; } },
    { title: "Seed", cls: "slim num", sort: (r) => data.row_seed[r], fill: (td, r) => { td.textContent = data.row_seed[r]; } },
    { title: "Votes", cls: "votes", sort: (r) => data.row_votes[r][1] ?? 0, fill: fillVotes },
    { title: "Entropy", cls: "slim num", sort: (r) => data.row_entropy[r], fill: (td, r) => { td.textContent = data.row_entropy[r]?.toFixed(2) ?? "—"; } },
    { title: "Reliability", cls: "slim num", sort: (r) => data.row_reliability[r], fill: (td, r) => { td.textContent = data.row_reliability[r]?.toFixed(2) ?? "—"; } },
    ...data.speakers.map((speaker, who) => ({
      title: speaker.name, who, sort: (r) => text(data.said[who][r]),
      fill: (td, r) => { td.textContent = text(data.said[who][r]) ?? "(unparsed)"; td.classList.add(isRight(who, r) ? "right" : "wrong"); },
    })),
  ];
  const hasStrata = data.questions.some((q) => q[4] >= 0);
  let open = new Set(cells.filter((c) => (c.who !== undefined ? data.shown.includes(c.title)
    : c.title !== "Entropy" && (c.title !== "Kind" || hasStrata))));
  const initiallyOpen = new Set(open);
  let order = { cell: null, down: false };
  let rows = [];
  let page = 0;
  const searchable = data.questions.map((q) => [q[1], ...q[2], q[3], q[4]].map(text).filter(Boolean).join("\n").toLowerCase());
  const lower = data.texts.map((t) => t.toLowerCase());

  function fillQuestion(td, row) {
    const [id, asked, choices] = question(row);
    const box = make("div", text(asked), "clamp");
    box.dir = "auto";
    td.append(box);
    if (choices.length) td.append(make("span", choices.map(text).join(" · "), "more"));
    td.title = text(id);
    td.addEventListener("click", () => td.classList.toggle("open"));
  }
  function fillVotes(td, row) {
    const votes = data.row_votes[row];
    if (!votes.length) td.textContent = "—";
    for (let i = 0; i < votes.length; i += 2) {
      const line = make("div");
      line.append(make("b", votes[i + 1]), " ", make("bdi", text(votes[i])));
      td.append(line);
    }
  }
  function option(select, value, label) {
    const node = make("option", label);
    node.value = value;
    select.append(node);
  }
  function setUp() {
    const seeds = [...new Set(data.row_seed)].sort((a, b) => a - b);
    option(byId("f-seed"), "", "all");
    for (const seed of seeds) option(byId("f-seed"), seed, seed);
    option(byId("f-stratum"), "", "all");
    const kinds = [...new Set(data.questions.map((q) => q[4]))].filter((k) => k >= 0).sort((a, b) => (text(a) < text(b) ? -1 : 1));
    for (const kind of kinds) option(byId("f-stratum"), kind, text(kind));
    byId("f-stratum").parentElement.hidden = !hasStrata;
    for (const [value, label] of [["", "any"], ["0,.5", "below .50"], [".5,.8", ".50 to .80"], [".8,.9999", ".80 to 1"], [".9999,9", "1 (unanimous)"]]) option(byId("f-reliability"), value, label);
    for (const k of ["1", "2"]) {
      option(byId(`f-who${k}`), "", "—");
      data.speakers.forEach((speaker, who) => option(byId(`f-who${k}`), who, speaker.name));
      for (const is of ["right", "wrong", "unparsed"]) option(byId(`f-is${k}`), is, is);
    }
    for (const cell of cells.slice(1)) {
      const label = make("label", cell.title);
      const box = make("input");
      box.type = "checkbox";
      box.checked = open.has(cell);
      box.addEventListener("change", () => { if (box.checked) open.add(cell); else open.delete(cell); draw(); });
      label.prepend(box);
      byId("f-columns").append(label);
    }
    for (const control of document.querySelectorAll(".filters select, .filters input")) control.addEventListener("input", filter);
    byId("f-reset").addEventListener("click", reset);
    byId("f-save").addEventListener("click", save);
    for (const [id, go] of [["p-first", () => 0], ["p-previous", () => page - 1], ["p-next", () => page + 1], ["p-last", () => Infinity]]) {
      byId(id).addEventListener("click", () => { page = go(); drawBody(); document.querySelector(".tall").scrollTop = 0; });
    }
    byId("answers-app").hidden = false;
  }
  function reset() {
    for (const control of document.querySelectorAll(".filters select, .filters input")) control.value = control.options ? control.options[0].value : "";
    open = new Set(initiallyOpen);
    const boxes = byId("f-columns").querySelectorAll("input");
    cells.slice(1).forEach((cell, i) => { boxes[i].checked = open.has(cell); });
    order = { cell: null, down: false };
    filter();
  }
  function filter() {
    const words = byId("f-text").value.toLowerCase().trim();
    const seed = byId("f-seed").value;
    const kind = byId("f-stratum").value;
    const range = byId("f-reliability").value ? byId("f-reliability").value.split(",").map(Number) : null;
    const conditions = ["1", "2"].filter((k) => byId(`f-who${k}`).value !== "")
      .map((k) => [Number(byId(`f-who${k}`).value), byId(`f-is${k}`).value]);
    const texts = new Set();
    if (words) lower.forEach((t, i) => { if (t.includes(words)) texts.add(i); });
    rows = [];
    for (let r = 0; r < n; r += 1) {
      if (seed !== "" && data.row_seed[r] !== Number(seed)) continue;
      if (kind !== "" && question(r)[4] !== Number(kind)) continue;
      if (range && !(data.row_reliability[r] >= range[0] && data.row_reliability[r] < range[1])) continue;
      if (!conditions.every(([who, is]) => (is === "unparsed" ? data.said[who][r] < 0 : isRight(who, r) === (is === "right")))) continue;
      if (words && !searchable[data.row_question[r]].includes(words) && !data.said.some((said) => texts.has(said[r]))) continue;
      rows.push(r);
    }
    sortRows();
    page = 0;
    draw();
  }
  function sortRows() {
    if (order.cell) ordered(rows, order.cell.sort, order.down);
  }
  function draw() {
    const head = make("tr");
    const sums = make("tr", null, "sums");
    for (const cell of cells.filter((c) => open.has(c))) {
      const th = make("th", null, cell.cls);
      th.scope = "col";
      th.setAttribute("aria-sort", order.cell === cell ? (order.down ? "descending" : "ascending") : "none");
      const button = make("button");
      cell.title.split(/(?<=_)/).forEach((part) => button.append(part, make("wbr")));
      button.type = "button";
      button.addEventListener("click", () => {
        order = { cell, down: order.cell === cell && !order.down };
        filter();
      });
      th.append(button);
      head.append(th);
      const share = cell.who === undefined || !rows.length ? null : rows.filter((r) => isRight(cell.who, r)).length / rows.length;
      sums.append(make("td", cell.title === "Question" ? "Right in this selection" : share === null ? null : percent(share), cell.cls));
    }
    document.querySelector("#answers-table thead").replaceChildren(head, sums);
    const distinct = new Set(rows.map((r) => data.row_question[r])).size;
    byId("answers-status").textContent = `${rows.length.toLocaleString("en")} of ${n.toLocaleString("en")} rows, ${distinct.toLocaleString("en")} of ${data.questions.length.toLocaleString("en")} questions`;
    drawBody();
  }
  function drawBody() {
    const last = Math.max(0, Math.ceil(rows.length / PAGE) - 1);
    page = Math.min(Math.max(0, page), last);
    const body = document.createDocumentFragment();
    for (const r of rows.slice(page * PAGE, page * PAGE + PAGE)) {
      const tr = make("tr");
      for (const cell of cells.filter((c) => open.has(c))) {
        const td = make("td", null, cell.cls);
        td.dir = "auto";
        cell.fill(td, r);
        tr.append(td);
      }
      body.append(tr);
    }
    document.querySelector("#answers-table tbody").replaceChildren(body);
    byId("p-where").textContent = `Page ${page + 1} of ${last + 1}`;
    byId("p-first").disabled = byId("p-previous").disabled = page === 0;
    byId("p-next").disabled = byId("p-last").disabled = page === last;
  }
  function save() {
    const lines = [["example_id", "question", "gold", "stratum", "seed", "entropy", "reliability", ...data.speakers.map((s) => s.name)]];
    for (const r of rows) {
      const [id, asked, , right, kind] = question(r);
      lines.push([text(id), text(asked), text(right), text(kind), data.row_seed[r], data.row_entropy[r], data.row_reliability[r], ...data.said.map((said) => text(said[r]))]);
    }
    saveCsv("answers.csv", lines);
  }
  setUp();
  filter();
})();
