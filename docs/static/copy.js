// A button on every block of code that copies it, without the prompts and the output of a Python session.
document.addEventListener("DOMContentLoaded", () => {
  if (!navigator.clipboard) return; // a page opened from a file in some browsers
  for (const block of document.querySelectorAll("div.highlight")) {
    const code = block.querySelector("pre");
    if (!code || isOutput(block)) continue;
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "copy";
    button.setAttribute("aria-label", "Copy this code");
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(textOf(code));
      button.textContent = "copied";
      setTimeout(() => (button.textContent = "copy"), 1500);
    });
    block.append(button);
  }
});

// What code prints: a block right below another, the output of a script, or a help text.
function isOutput(block) {
  const outer = block.parentElement, before = outer.previousElementSibling;
  const follows = before && /\bhighlight-/.test(before.className);
  return follows || outer.classList.contains("highlight-none") || block.closest(".sphx-glr-script-out");
}

function textOf(code) {
  const lines = code.textContent.replace(/\n$/, "").split("\n");
  const isSession = lines.some((line) => line.startsWith(">>> "));
  if (!isSession) return lines.join("\n");
  const prompted = lines.filter((line) => /^(>>>|\.\.\.)( |$)/.test(line));
  return prompted.map((line) => line.slice(4)).join("\n");
}
