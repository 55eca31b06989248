const shared = (() => {
  const byId = (id) => document.getElementById(id);
  const make = (tag, content, className) => {
    const node = document.createElement(tag);
    if (content !== undefined && content !== null) node.textContent = content;
    if (className) node.className = className;
    return node;
  };
  function ordered(rows, key, down) {
    const keys = new Map(rows.map((r) => [r, key(r)]));
    const sign = down ? -1 : 1;
    return rows.sort((a, b) => {
      const x = keys.get(a); const y = keys.get(b);
      if (x === null || x === undefined || y === null || y === undefined) return ((x ?? null) === null) - ((y ?? null) === null) || a - b;
      const c = typeof x === "number" ? x - y : x < y ? -1 : x > y ? 1 : 0;
      return sign * c || a - b;
    });
  }
  function saveCsv(name, lines) {
    const formula = /^'*[=+\-@\t\r\n＝＋－＠]/;
    const number = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
    const guard = (value) => {
      const plain = value === null || value === undefined ? "" : String(value);
      return `"${(formula.test(plain) && !number.test(plain) ? `'${plain}` : plain).replaceAll('"', '""')}"`;
    };
    const link = make("a");
    link.download = name;
    link.href = URL.createObjectURL(new Blob([lines.map((line) => line.map(guard).join(",")).join("\r\n")], { type: "text/csv" }));
    link.click();
    URL.revokeObjectURL(link.href);
  }
  // Opens a row below the button's own, filled by `fill(cell)`, or closes it again.
  function toggleRow(button, columns, fill) {
    const tr = button.closest("tr");
    const opens = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(opens));
    if (!opens) { tr.nextElementSibling.remove(); return; }
    const detail = make("tr", null, "detail");
    const td = make("td");
    td.colSpan = columns;
    fill(td);
    detail.append(td);
    tr.after(detail);
  }
  // What `packed` of the page's maker put together.
  async function unpack(holder) {
    if (typeof DecompressionStream === "undefined") {
      holder.before(make("p", "This page's tables need a browser of 2023 or later.", "absent"));
    }
    const bytes = Uint8Array.from(atob(holder.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }
  return { byId, make, ordered, saveCsv, toggleRow, unpack };
})();
