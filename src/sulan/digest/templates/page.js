// Keeps the reader's language, and opens the abstract when a sentence number is followed.
(() => {
  const choices = document.querySelectorAll("input[name=language]");
  const show = (choice) => { choice.checked = true; document.documentElement.lang = choice.value; };
  try {
    const kept = localStorage.getItem("sulan-language");
    for (const choice of choices) if (choice.value === kept) show(choice);
  } catch { /* a browser may refuse storage to a page from disk */ }
  for (const choice of choices) choice.addEventListener("change", () => {
    show(choice);
    try { localStorage.setItem("sulan-language", choice.value); } catch { /* as above */ }
  });
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.closest("details");
    if (details && !details.open) { details.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  open();
})();
