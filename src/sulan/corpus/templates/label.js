"use strict";
const articles = [...document.querySelectorAll("article")];
const auditor = document.getElementById("auditor");
const key = "sulan audit " + location.pathname;
function row(article) {
  const chosen = article.querySelector("input[type=radio]:checked");
  return {
    id: article.dataset.id,
    language: article.dataset.language,
    label: chosen ? chosen.value : "",
    to: article.querySelector(".to").value,
    note: article.querySelector(".note").value,
  };
}
function show() {
  const done = articles.filter((article) => row(article).label);
  articles.forEach((article) => article.classList.toggle("done", done.includes(article)));
  document.getElementById("count").value = done.length;
}
function remember() {
  localStorage.setItem(key, JSON.stringify({ auditor: auditor.value, rows: articles.map(row) }));
  show();
}
function quoted(text) {
  return '"' + String(text).replaceAll('"', '""') + '"';
}
function save() {
  const round = document.querySelector("main").dataset.round;
  const lines = ["id,language,label,to,note,auditor,round"];
  for (const r of articles.map(row)) {
    lines.push([r.id, r.language, r.label, r.to, r.note, auditor.value, round].map(quoted).join(","));
  }
  const link = document.createElement("a");
  link.href = "data:text/csv;charset=utf-8," + encodeURIComponent(lines.join("\n") + "\n");
  link.download = "labels.csv";
  link.click();
}
const before = JSON.parse(localStorage.getItem(key) || "null");
if (before) {
  auditor.value = before.auditor;
  const rows = new Map(before.rows.map((r) => [r.id, r]));
  for (const article of articles) {
    const r = rows.get(article.dataset.id);
    if (!r) continue;
    for (const input of article.querySelectorAll("input[type=radio]")) input.checked = input.value === r.label;
    article.querySelector(".to").value = r.to;
    article.querySelector(".note").value = r.note;
  }
}
document.addEventListener("input", remember);
document.getElementById("save").addEventListener("click", save);
show();
