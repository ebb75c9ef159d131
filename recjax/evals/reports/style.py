"""How pages look, and the one script that they have."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --line: #8885;
  --soft: #8881; --faint: #666c; --good: #2a8a43; --near: #b98300; --bad: #c8453a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --paper: #15171b;
  --faint: #a9adb6; --good: #58c473; --near: #e3b341; --bad: #ff7b6e; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); max-width: 64rem; margin: 0 auto; padding: 1rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .5rem; }
h3, figcaption { font-size: .95rem; font-weight: 600; margin: 0 0 .3rem; }
p { margin: .4rem 0; } .note, small { color: var(--faint); }
.verdict { border-left: 4px solid var(--good); padding: .3rem .8rem;
  background: var(--soft); }
.verdict.not { border-color: var(--bad); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .5rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { font-weight: 600; } td small { white-space: nowrap; }
tr.model td { background: var(--soft); }
.badge { font-size: .75rem; border: 1px solid var(--line); border-radius: 1rem;
  padding: 0 .5rem; white-space: nowrap; }
.model .badge { border-color: var(--good); color: var(--good); }
.best { font-weight: 700; }
.scroll { overflow-x: auto; }
.scroll td, .scroll th { white-space: nowrap; }
.facts { display: grid; gap: 0 2rem; margin: 0;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
.facts div { display: flex; gap: 1rem; border-bottom: 1px solid var(--line);
  justify-content: space-between; padding: .2rem 0; }
.facts dt { color: var(--faint); flex: none; max-width: 50%; }
.facts dd { margin: 0; text-align: right; }
.plots, .answers { display: grid; gap: 1.2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
.answers { grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
figure { margin: 0; min-width: 0; break-inside: avoid; }
svg, figure > img { width: 100%; height: auto; display: block; }
.legend span { display: inline-block; margin-right: 1rem; font-size: .85rem; }
.legend i { display: inline-block; width: 1.6em; height: 0; vertical-align: middle;
  border-top: 3px solid; margin-right: .4em; }
.legend .dashed { border-top-style: dashed; }
.map circle:hover { stroke: currentColor; stroke-width: 2; }
.tip { min-height: 1.5em; font-weight: 600; }
.bar { display: inline-block; height: .7em; background: #4a78dd; margin-left: .5em; }
.answer { border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem;
  min-width: 0; break-inside: avoid; }
.answer ol { margin: .3rem 0; padding-left: 1.6rem; }
.answer li.right { font-weight: 600; color: var(--good); }
.answer li.right::after { content: " \\2713  right"; font-size: .8rem; }
.missed { font-size: .9rem; } .missed b { color: var(--bad); font-weight: 600; }
.past { display: flex; flex-wrap: wrap; gap: .25rem; padding: 0 !important;
  list-style: none; font-size: .85rem; }
.past li { border: 1px solid var(--line); border-radius: .4rem; padding: 0 .4rem; }
.past small { display: block; }
.grid { grid-column: 1 / -1; display: flex; gap: .8rem; flex-wrap: wrap; }
.grid figure { width: 5.2rem; font-size: .72rem; line-height: 1.2; }
.grid img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .3rem;
  border: 3px solid var(--line); }
.grid .right img { border-color: var(--good); }
.grid .near img { border: 3px dashed var(--near); }
.grid .wrong img { border: 3px dotted var(--bad); }
.grid .asked { margin-right: .8rem; }
.small { width: 2.5rem; vertical-align: middle; margin-right: .4rem; }
pre { background: var(--soft); padding: .7rem; overflow-x: auto; font-size: 12px;
  line-height: 1.4; }
summary { cursor: pointer; font-weight: 600; margin: .6rem 0; }
@media (max-width: 40rem) {
  .cards tr:first-child { display: none; }
  .cards, .cards tbody, .cards tr, .cards td { display: block; }
  .cards tr { border-bottom: 1px solid var(--line); padding: .4rem; }
  .cards td { border: 0; padding: .05rem 0; text-align: right; }
  .cards td:first-child { font-weight: 600; text-align: left; }
  .cards td[data-of]::before { content: attr(data-of); float: left;
    color: var(--faint); }
}
@media print {
  :root { --ink: #000; --paper: #fff; --faint: #444; --good: #1d6e33;
    --near: #8a6200; --bad: #a3281e; }
  body { font-size: 11px; max-width: none; padding: 0; }
  .bar, .grid img, svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .scroll { overflow: visible; } pre { white-space: pre-wrap; } .tip { display: none; }
}
"""

SCRIPT = """
for (const map of document.querySelectorAll(".map")) {
  const tip = map.closest("figure").querySelector(".tip");
  for (const on of ["pointerover", "click"]) map.addEventListener(on, (event) => {
    const title = event.target.querySelector(":scope > title");
    if (title) tip.textContent = title.textContent;
  });
}
"""
