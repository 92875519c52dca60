// Search over pagefind's index. Results are built as text nodes: nothing from a paper is ever read as HTML.
(() => {
  const form = document.getElementById("search");
  const field = document.getElementById("query");
  const status = document.getElementById("status");
  const list = document.getElementById("results");
  const words = JSON.parse(document.getElementById("words").textContent);
  const say = (key) => words[document.documentElement.lang.slice(0, 2)][key];
  const site = new URL(".", location.href);
  const PAGE = 10;
  let engine, timer, turn = 0;

  const load = async () => {
    const [first, ...others] = form.dataset.bundles.split(" ").map((name) => `${site.pathname}pagefind/${name}/`);
    engine ??= import(first + "pagefind.js").then(async (pagefind) => {
      // pagefind cuts a query into words by the page's language; the index has one, whatever the reader sees.
      const root = document.documentElement, shown = root.lang;
      root.lang = form.dataset.language;
      const instance = pagefind.createInstance({ baseUrl: site.pathname, excerptLength: 24 });
      root.lang = shown;
      await instance.init();
      for (const other of others) await instance.mergeIndex(other, { baseUrl: site.pathname });
      return instance;
    });
    return engine;
  };
  // An excerpt is escaped HTML with <mark> around the hits; the parser's document runs and loads nothing.
  const excerpt = (html) => {
    const line = document.createElement("p");
    for (const node of new DOMParser().parseFromString(html, "text/html").body.childNodes) {
      if (node.nodeName === "MARK") {
        const mark = document.createElement("mark");
        mark.textContent = node.textContent;
        line.append(mark);
      } else line.append(node.textContent);
    }
    return line;
  };
  const item = (hit) => {
    const url = new URL(hit.url, site);
    if (url.origin !== site.origin || !url.pathname.startsWith(site.pathname)) return null;
    const row = document.createElement("li"), link = document.createElement("a"), day = document.createElement("span");
    link.href = url.href;
    link.textContent = hit.title;
    day.className = "small";
    day.textContent = (url.pathname.slice(site.pathname.length).match(/^[0-9-]{10}/) ?? [""])[0];
    row.append(link, " ", day, excerpt(hit.excerpt));
    return row;
  };
  const search = async () => {
    clearTimeout(timer);
    const mine = ++turn, query = field.value.trim();
    const show = (text, rows) => {
      list.replaceChildren(...rows);
      list.dataset.query = query; // which question these answer
      status.textContent = text;
    };
    if (!query) return show("", []);
    try {
      const found = (await (await load()).search(query)).results;
      const pages = await Promise.all(found.slice(0, PAGE).map((result) => result.data()));
      if (mine !== turn) return;
      const hits = pages.flatMap((page) =>
        (page.sub_results.length ? page.sub_results : [{ ...page, title: page.meta.title }]).slice(0, 5));
      const text = found.length ? say("search_found").replace("{count}", found.length) : say("search_none");
      show(text, hits.map(item).filter(Boolean));
    } catch (error) {
      console.warn(error);
      engine = undefined;
      if (mine === turn) show(say("search_failed"), []);
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    history.replaceState(null, "", "?q=" + encodeURIComponent(field.value.trim()));
    search();
  });
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 250); });
  field.value = new URL(location.href).searchParams.get("q") ?? "";
  if (field.value) search();
})();
