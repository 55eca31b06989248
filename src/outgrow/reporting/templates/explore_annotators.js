// The table of annotators: flagged ones first; a row opens with its confusions; its questions can be shown alone.
function annotatorsTable(data, showQuestions) {
  const { byId, make, toggleRow } = shared;
  const percent = (value) => (value === null ? "—" : `${(100 * value).toFixed(1)} %`);
  const people = data.people;
  const flags = [...new Set(people.flatMap((each) => each.flags))];
  const columns = [
    ["Annotator", "who", name],
    ["Answers", "num", (each) => each.answers.toLocaleString("en")],
    ["Agreement", "num", (each) => percent(each.agreement)],
    ["Accuracy", "num", accuracy],
    ["Over-used label", "", (each) => (each.over_used && each.excess >= 0.05 ? `${each.over_used} +${Math.round(100 * each.excess)} %` : "")],
    ["Flags", "flags", (each) => each.flags.map((flag) => (flag === "near-copy" && each.copy_of ? `near-copy of ${each.copy_of} (${Math.round(100 * each.copy_rate)} %)` : flag)).join(", ")],
  ];
  function accuracy(each) {
    const box = make("span", percent(each.accuracy));
    if (each.low !== null) {
      const bar = make("span", null, "interval");
      const range = make("span");
      range.style.left = `${100 * each.low}%`;
      range.style.width = `${100 * (each.high - each.low)}%`;
      bar.append(range);
      bar.title = `95 % interval: ${percent(each.low)} to ${percent(each.high)}`;
      box.append(make("span", ` ${percent(each.low).replace(" %", "")} – ${percent(each.high)}`, "which"), bar);
    }
    return box;
  }
  function name(each) {
    const button = make("button", null, "open");
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.append(make("bdi", each.annotator));
    button.addEventListener("click", () => toggle(button, each));
    return button;
  }
  function toggle(button, each) {
    toggleRow(button, columns.length, (td) => {
      if (each.number >= 0) {
        const show = make("button", "Show only their questions");
        show.type = "button";
        show.addEventListener("click", () => showQuestions(each));
        td.append(show);
      }
      if (each.confusion) td.append(heat(each));
    });
  }
  function heat(each) {
    const box = make("div", null, "scroll");
    const table = make("table", null, "heat");
    const caption = make("caption", `What ${each.annotator} calls what is right, in %`);
    const head = make("tr");
    head.append(make("th", "right ↓ called →"), ...data.classes.map((label) => { const th = make("th"); th.scope = "col"; th.append(make("bdi", label)); return th; }));
    table.append(caption, head);
    each.confusion.forEach((row, k) => {
      const tr = make("tr");
      const th = make("th");
      th.scope = "row";
      th.append(make("bdi", data.classes[k]));
      tr.append(th);
      row.forEach((share, l) => {
        const td = make("td", share === null ? "" : Math.round(100 * share), k === l ? "same" : null);
        td.style.setProperty("--heat", share ?? 0);
        tr.append(td);
      });
      table.append(tr);
    });
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", `Confusions of ${each.annotator}`);
    box.append(table);
    return box;
  }
  function draw() {
    const wanted = byId("a-show").value;
    const words = byId("a-text").value.toLowerCase().trim();
    const shown = people.filter((each) => (!wanted || (wanted === "any" ? each.flags.length : each.flags.includes(wanted)))
      && each.annotator.toLowerCase().includes(words));
    const body = shown.map((each) => {
      const tr = make("tr", null, each.flags.length ? "flagged" : null);
      for (const [, cls, fill] of columns) {
        const td = make("td", null, cls);
        td.append(fill(each));
        tr.append(td);
      }
      return tr;
    });
    document.querySelector("#annotator-table tbody").replaceChildren(...body);
    byId("a-status").textContent = `${shown.length.toLocaleString("en")} of ${people.length.toLocaleString("en")} annotators`;
  }
  const head = make("tr");
  for (const [title, cls] of columns) { const th = make("th", title, cls); th.scope = "col"; head.append(th); }
  document.querySelector("#annotator-table thead").append(head);
  for (const [value, title] of [["", "all"], ["any", "flagged"], ...flags.map((flag) => [flag, flag])]) {
    const option = make("option", title);
    option.value = value;
    byId("a-show").append(option);
  }
  byId("a-show").addEventListener("change", draw);
  byId("a-text").addEventListener("input", draw);
  draw();
}
