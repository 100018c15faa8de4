// The page says all it has to say without this.  This only copies, opens and closes, and tells the reader's time.
(() => {
  const folds = document.querySelector("main details");
  for (const button of document.querySelectorAll("button.js")) button.hidden = !folds && "unfold" in button.dataset;

  const swap = (button) => {
    [button.textContent, button.dataset.other] = [button.dataset.other, button.textContent];
  };

  const copy = async (button) => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  };

  const unfold = (button) => {
    const all = [...document.querySelectorAll("main details")];
    const open = all.some((details) => !details.open);
    for (const details of all) details.open = open;
    if (open !== (button.dataset.open === "yes")) swap(button);
    button.dataset.open = open ? "yes" : "";
  };

  const wall = new Intl.DateTimeFormat("sv", { dateStyle: "short", timeStyle: "medium" }); // as ISO 8601 has it
  const local = (moment) => {
    const minutes = -moment.getTimezoneOffset();
    const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
    const offset = [hours, rest].map((part) => String(part).padStart(2, "0")).join(":");
    return `${wall.format(moment)} ${minutes < 0 ? "-" : "+"}${offset}`;
  };
  const rezone = (button) => {
    for (const time of document.querySelectorAll("time[datetime$=Z]")) {
      time.dataset.other ??= local(new Date(time.dateTime));
      swap(time);
    }
    document.querySelectorAll("th[data-other]").forEach(swap);
    swap(button);
  };

  document.addEventListener("click", ({ target }) => {
    if (target.matches("[data-copy]")) copy(target);
    else if (target.matches("[data-unfold]")) unfold(target);
    else if (target.matches("[data-rezone]")) rezone(target);
  });
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
