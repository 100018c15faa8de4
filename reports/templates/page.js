// The page says all it has to say without this.  This only copies, and opens and closes.
(() => {
  for (const button of document.querySelectorAll("button.js")) button.hidden = false;
  document.addEventListener("click", async ({ target }) => {
    if (target.matches("[data-copy]")) {
      const text = target.parentElement.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        getSelection().selectAllChildren(target.parentElement.querySelector("code"));
        document.execCommand("copy");
      }
      target.classList.add("done");
      setTimeout(() => target.classList.remove("done"), 1500);
    } else if (target.matches("[data-open]")) {
      const all = document.querySelectorAll("main details");
      const open = [...all].some((details) => !details.open);
      for (const details of all) details.open = open;
      target.textContent = open ? target.dataset.close : target.dataset.open;
    }
  });
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
