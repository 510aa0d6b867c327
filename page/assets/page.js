// Draws the curves, and keeps what somebody has opened or focused when a part of the page changes.
"use strict";
(function () {
  const plots = new Map(); // by control
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function series() {
    const line = color("--accent"), muted = color("--muted");
    const share = (u, v) => (v == null ? "–" : Math.round(100 * v) + " %");
    return [
      { label: "labels" },
      { label: "quality", stroke: line, width: 2, spanGaps: true, value: share },
      { label: "95 % low", stroke: line, width: 0, spanGaps: true, value: share },
      { label: "95 % high", stroke: line, width: 0, spanGaps: true, value: share },
      { label: "of asked tasks", stroke: muted, width: 1, dash: [4, 4], spanGaps: true, value: share },
    ];
  }

  function draw() {
    const holder = document.getElementById("plots");
    if (!holder || !window.uPlot) return;
    for (const el of document.querySelectorAll(".curve[data-points]")) {
      const control = el.dataset.control, points = el.dataset.points;
      let plot = plots.get(control);
      if (plot && plot.points === points) continue;
      const data = JSON.parse(points);
      if (plot) {
        plot.chart.setData(data);
        plot.points = points;
        continue;
      }
      const box = document.createElement("div");
      box.className = "plot";
      box.setAttribute("role", "img");
      box.setAttribute("aria-label", "Quality of " + control + " over labels; the same as a table is below");
      holder.append(box);
      const axis = { stroke: color("--muted"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line") } };
      const chart = new window.uPlot({
        title: control, width: Math.max(280, holder.clientWidth), height: 210, series: series(),
        scales: { x: { time: false }, y: { range: [0, 1] } },
        bands: [{ series: [3, 2], fill: color("--accent") + "33" }],
        axes: [axis, { ...axis, values: (u, vs) => vs.map((v) => Math.round(100 * v) + " %") }],
      }, data, box);
      plots.set(control, { chart, points });
    }
  }

  let kept = null;
  const key = (el) => el.getAttribute("href") || el.getAttribute("value") || el.textContent;

  // A form that somebody is filling in must not be taken away by an event.
  document.addEventListener("htmx:sseBeforeMessage", (e) => {
    const open = e.target.querySelector("details[open] textarea");
    if (open) {
      e.preventDefault();
      return;
    }
    const at = document.activeElement;
    kept = {
      open: [...e.target.querySelectorAll("details[open] > summary")].map(key),
      focus: e.target.contains(at) ? at.tagName + " " + key(at) : null,
    };
  });
  document.addEventListener("htmx:sseMessage", (e) => {
    if (kept) {
      for (const s of e.target.querySelectorAll("details > summary")) if (kept.open.includes(key(s))) s.parentElement.open = true;
      if (kept.focus) for (const el of e.target.querySelectorAll("a, button, summary, [tabindex]")) {
        if (el.tagName + " " + key(el) === kept.focus) { el.focus({ preventScroll: true }); break; }
      }
      kept = null;
    }
    draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { chart } of plots.values()) chart.root.parentElement.remove();
    plots.clear();
    draw();
  });
  addEventListener("resize", () => {
    const holder = document.getElementById("plots");
    for (const { chart } of plots.values()) chart.setSize({ width: Math.max(280, holder.clientWidth), height: 210 });
  });
  document.addEventListener("DOMContentLoaded", draw);
})();
