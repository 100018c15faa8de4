// The table is complete and in a useful order without this.  This filters and sorts; the state is in the URL.
// The counts become links to the hosts behind them.
(() => {
  const tables = [...document.querySelectorAll("table.hosts")];
  const form = document.querySelector("form.filter");
  if (!form) return;
  const output = form.querySelector("output");
  const bodies = tables.map((table) => table.tBodies[0]);
  const columns = [...tables[0].tHead.rows[0].cells];
  const total = bodies.reduce((sum, body) => sum + body.rows.length, 0);
  const room = bodies[0].rows.length;
  let read = null;
  const rows = () => (read ??= bodies.flatMap((body) => [...body.rows]).map((row, place) => {
    const cells = [...row.cells].map((cell) => cell.textContent.trim());
    const verdict = row.cells[1].firstChild.data.trim();
    return { row, place, cells, verdict, all: cells.join("\n").toLowerCase() };
  }));
  const compare = new Intl.Collator(document.documentElement.lang, { numeric: true }).compare;
  let sorted = "";

  const count = (shown) => {
    output.textContent = output.dataset.text.replace("{shown}", shown).replace("{all}", total);
  };

  const show = () => {
    const wanted = Object.fromEntries(new FormData(form));
    const words = wanted.q.toLowerCase().split(/\s+/).filter(Boolean);
    const column = Math.abs(Number(sorted)) - 1;
    const sign = Number(sorted) < 0 ? -1 : 1;
    const fits = ({ cells, verdict, all }) =>
      words.every((word) => all.includes(word)) &&
      (!wanted.verdict || verdict === wanted.verdict) &&
      (!wanted.cause || cells[2].replace(/ \+\d+$/, "") === wanted.cause) &&
      (!wanted.owner || cells[3] === wanted.owner);
    const found = rows().filter(fits);
    if (column >= 0) found.sort((a, b) => sign * compare(a.cells[column], b.cells[column]) || a.place - b.place);
    bodies.forEach((body, n) => {
      body.replaceChildren(...found.slice(n * room, (n + 1) * room).map(({ row }) => row));
      tables[n].hidden = n > 0 && n * room >= found.length;
    });
    columns.forEach((cell, n) => {
      if (n === column) cell.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
    count(found.length);
  };

  const remember = () => {
    const state = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    if (sorted) state.set("sort", sorted);
    history.replaceState(null, "", `#${state}`);
  };

  const recall = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const field of form.elements) if (field.name) field.value = state.get(field.name) ?? "";
    sorted = /^-?[1-6]$/.test(state.get("sort")) ? state.get("sort") : "";
  };

  columns.forEach((cell, n) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = cell.textContent;
    button.addEventListener("click", () => {
      sorted = sorted === String(n + 1) ? String(-n - 1) : sorted === String(-n - 1) ? "" : String(n + 1);
      show();
      remember();
    });
    cell.replaceChildren(button);
  });
  const offer = (field, label) => {
    const link = document.createElement("a");
    link.href = `#${new URLSearchParams({ [field]: label.textContent })}`;
    label.replaceWith(link);
    link.append(label);
  };
  for (const label of document.querySelectorAll(".bars th > code")) offer("cause", label);
  for (const label of document.querySelectorAll(".owners th > span")) offer("owner", label);
  addEventListener("hashchange", () => {
    if (!location.hash.includes("=")) return;
    recall();
    show();
    form.scrollIntoView();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    show();
    remember();
  });
  form.hidden = false;
  count(total);
  if (location.hash.includes("=")) {
    recall();
    show();
  }
})();
