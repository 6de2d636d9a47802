"use strict";
// The report below its first screen: charts, tables and the animation. Nothing is fetched; data are unpacked when they
// are looked at. Sections: packed data, looks, terms, charts, tables, videos (data, player, traces), start.

const STUDY = JSON.parse(byId("study").textContent);
const MISSING_WHOLE = -(2 ** 31); // of whole numbers in a table
const MISSING_SHORT = -(2 ** 15); // of positions and angles
const ALL = "all"; // condition of every video together
const view = { angle: STUDY.joints[0], method: STUDY.tradeoff[0]?.method ?? STUDY.methods[0], condition: ALL, signal: STUDY.signal, basis: "net" };

function byId(id) {
  return document.getElementById(id);
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function words(name) {
  return Object.hasOwn(STUDY.words, name) ? STUDY.words[name] : name;
}

function fill(select, values, chosen, label = words) {
  select.replaceChildren(...values.map((value) => make("option", { value, selected: value === chosen }, label(value))));
  if (values.includes(chosen)) select.value = chosen;
}

function tell(error) {
  byId("trouble").textContent =
    typeof DecompressionStream === "undefined"
      ? "This browser is too old for the charts: they need Chrome or Edge 80, Firefox 113 or Safari 16.4, or later."
      : `A part of the page could not be shown: ${error.message ?? error}`;
  byId("trouble").hidden = false;
}

// ------------------------------------------------------------------------------------------------------- packed data

function bytesOf(base64) {
  const text = atob(base64.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflate(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** The header and the arrays of what payload.pack has written. */
async function unpack(base64) {
  const buffer = await inflate(base64);
  const start = 4 + new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, start - 4)));
  const types = { float64: Float64Array, int32: Int32Array, int16: Int16Array, uint32: Uint32Array, uint8: Uint8Array };
  const arrays = header.arrays.map(([type, offset, length]) => new types[type](buffer, start + offset, length));
  return { header, arrays };
}

function loadScript(url) {
  return new Promise((resolve, reject) => {
    const script = make("script", { src: url });
    script.onload = () => resolve(script.remove());
    script.onerror = () => reject(new Error(`the file ${url} is not beside this page`));
    document.head.append(script);
  });
}

const libraries = {};

/** Run a library that the page carries packed; once. */
function library(name) {
  libraries[name] ??= (async () => {
    const text = await inflate(document.querySelector(`script[data-library="${name}"]`).textContent);
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript;charset=utf-8" }));
    await loadScript(url);
    URL.revokeObjectURL(url);
  })();
  return libraries[name];
}

/** One column: text(i) for what is text, number(i) for numbers, NaN where there is none. */
function columnOf(described, array) {
  if (described.texts) return { ...described, codes: array, isText: true, get: (row) => described.texts[array[row]] };
  if (!described.scale) return { ...described, isText: false, get: (row) => array[row] };
  const scale = described.scale;
  const get = (row) => (array[row] === MISSING_WHOLE ? NaN : array[row] / scale);
  return { ...described, isText: false, isWhole: scale === 1, get };
}

const tables = {};

/** A table of the study: its number of rows and its columns by name. */
function table(name) {
  tables[name] ??= (async () => {
    const { header, arrays } = await unpack(document.querySelector(`script[data-table="${name}"]`).textContent);
    const columns = {};
    header.columns.forEach((column, index) => (columns[column.name] = columnOf(column, arrays[index])));
    return { rows: header.rows, columns };
  })();
  return tables[name];
}

/** Numbers of the rows in which text columns have these values. */
function where(data, wanted) {
  const tests = Object.entries(wanted).map(([name, value]) => [
    data.columns[name].codes,
    data.columns[name].texts.indexOf(value),
  ]);
  const rows = [];
  for (let row = 0; row < data.rows; row += 1) {
    if (tests.every(([codes, code]) => codes[row] === code)) rows.push(row);
  }
  return rows;
}

function record(data, row) {
  return Object.fromEntries(Object.entries(data.columns).map(([name, column]) => [name, column.get(row)]));
}

// -------------------------------------------------------------------------------------------------------------- looks

function cssColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** The colour of a source; lighter in the dark, and of the original that of the text. */
function colourOf(source) {
  if (source === "original") return cssColour("--text");
  const colour = STUDY.looks[source].colour;
  if (!isDark()) return colour;
  const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `rgb(${parts.map((part) => Math.round(part + (255 - part) * 0.3)).join(",")})`;
}

function faded(colour, alpha) {
  const parts = colour.startsWith("#")
    ? [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16))
    : colour.match(/\d+/g).slice(0, 3);
  return `rgba(${parts.join(",")},${alpha})`;
}

function verdictColour(verdict) {
  return cssColour({ equivalent: "--good", different: "--bad" }[verdict] ?? "--warn");
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  applyTheme();
}

function applyTheme() {
  const dark = isDark();
  document.documentElement.classList.toggle("dark", dark); // what the table library looks at
  byId("theme").textContent = dark ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", `Switch to ${dark ? "light" : "dark"} colours`);
  redrawAll();
}

function number(value, decimals = 2, signed = false) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const text = value.toFixed(decimals);
  const sign = signed && Number(text) > 0 ? "+" : "";
  return sign + (Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−"));
}

function whole(value) {
  if (value === null || Number.isNaN(value)) return "–";
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f").replace("-", "−");
}

function pValue(value) {
  if (Number.isNaN(value)) return "–";
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

/** A number as its column wants it. */
function shown(column, described, value) {
  if (column.isText) return value;
  if (Number.isNaN(value)) return "–";
  if (described.name.startsWith("p_") && described.unit === "0..1") return pValue(value);
  if (described.unit === "0..1" || described.unit === "torso length" || described.name.startsWith("icc")) return number(value, 3);
  if (column.isWhole) return whole(value);
  return number(value, described.unit === "%" ? 1 : described.unit === "" ? 3 : 2);
}

function unitOf(described) {
  const unit = { deg: "°", "0..1": "", "1/s": "1/s", "as measure": "" }[described.unit] ?? described.unit;
  const said = described.heading.includes(`(${unit})`) || (unit === "frames" && /frames/i.test(described.heading));
  return said ? "" : unit;
}

// -------------------------------------------------------------------------------------------------------------- terms

/** Definitions where a number stands: anything with data-text shows it when it is pointed at or has the focus. */
function showTip(event) {
  const term = event.target.closest?.("[data-text]");
  const tip = byId("tip");
  if (!term) return;
  tip.textContent = term.dataset.text;
  tip.hidden = false;
  term.setAttribute("aria-describedby", "tip");
  const box = term.getBoundingClientRect();
  const left = Math.min(box.left, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = box.top - tip.offsetHeight - 8;
  tip.style.left = `${Math.max(8, left) + scrollX}px`;
  tip.style.top = `${(above > 50 ? above : box.bottom + 8) + scrollY}px`;
}

function hideTip() {
  byId("tip").hidden = true;
}

/** A link to a definition opens what it is in. */
function openTarget() {
  const target = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target.parentElement; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  target.scrollIntoView();
}

function described(tableName, column) {
  return STUDY.tables[tableName].columns.find((one) => one.name === column);
}

/** A heading of a table with its definition at hand. */
function heading(described_, extra = "") {
  const unit = unitOf(described_);
  return make("span", { "data-text": described_.text, className: "term", tabIndex: 0 }, described_.heading + (unit ? ` (${unit})` : "") + extra);
}

// ------------------------------------------------------------------------------------------------------------- charts

const charts = new Map(); // id of a chart that has been drawn -> what draws it
const CONFIG = {
  displaylogo: false,
  responsive: true,
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
  toImageButtonOptions: { format: "svg" },
};

function axis(extra = {}) {
  const line = cssColour("--line");
  return {
    gridcolor: cssColour("--grid"), linecolor: line, zerolinecolor: line, zerolinewidth: 1.5, tickcolor: line,
    automargin: true, hoverformat: ".2f", ...extra,
    title: extra.title ? { text: extra.title, standoff: 8, font: { size: 12 } } : undefined,
  }; // prettier-ignore
}

function layoutOf(extra) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", showlegend: false,
    font: { family: "system-ui, sans-serif", size: 12, color: cssColour("--text") },
    hoverlabel: { bgcolor: cssColour("--panel"), bordercolor: cssColour("--line"), font: { color: cssColour("--text") } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: cssColour("--muted"), activecolor: cssColour("--accent") },
    margin: { l: 50, r: 15, t: 30, b: 40 }, ...extra,
  }; // prettier-ignore
}

/** Draw a chart into the element of this id and say so on it. */
async function plot(id, traces, layout, config = {}) {
  await library("plotly");
  const element = byId(id);
  await Plotly.react(element, traces, layoutOf(layout), { ...CONFIG, ...config });
  element.dataset.drawn = "yes";
}

/** A band of the margin of equivalence to either side of zero, along x or y. */
function marginBand(direction, extra = {}) {
  const other = direction === "x" ? "y" : "x";
  return {
    type: "rect", layer: "below", line: { width: 0 }, fillcolor: cssColour("--band"), [`${direction}0`]: -STUDY.margin,
    [`${direction}1`]: STUDY.margin, [`${other}ref`]: "paper", [`${other}0`]: 0, [`${other}1`]: 1, ...extra,
  }; // prettier-ignore
}

function note(id, text) {
  byId(id).textContent = text;
}

/** In the middle of a chart that has nothing to show. */
function nothing(text) {
  return [{ text, showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5, font: { color: cssColour("--muted") } }];
}

/** A row a method, the best first: how many of its files may go out without a doubt, and what they cost. */
function drawTradeoff() {
  const points = STUDY.tradeoff.filter((point) => point.mae_net_deg !== null);
  const traces = points.map((point, row) => ({
    x: [point.mae_net_deg], y: [row], mode: "markers",
    marker: { symbol: STUDY.looks[point.method].symbol, size: point.recommended ? 16 : 12, color: colourOf(point.method) },
    error_x: {
      type: "data", symmetric: false, array: [(point.high ?? point.mae_net_deg) - point.mae_net_deg],
      arrayminus: [point.mae_net_deg - (point.low ?? point.mae_net_deg)], color: colourOf(point.method), thickness: 2, width: 5,
    },
    hovertemplate: `<b>${words(point.method)}</b><br>added error ${number(point.mae_net_deg, 2, true)}° (${number(point.low, 2, true)} to ` +
      `${number(point.high, 2, true)})<br>${point.n_pass} of ${point.n_videos} files passed<extra></extra>`,
  })); // prettier-ignore
  const label = (point) => `<b>${words(point.method)}</b><br>${point.n_pass} of ${point.n_videos} files passed`;
  const [least, most] = [Math.min(0, ...points.map((point) => point.low ?? point.mae_net_deg)),
    Math.max(STUDY.margin, ...points.map((point) => point.high ?? point.mae_net_deg))]; // prettier-ignore
  const pad = (most - least) * 0.08;
  return plot("chart-tradeoff", traces, {
    xaxis: axis({ title: "Added error, net of the control (°)", zeroline: true, range: [least - pad, most + pad] }),
    yaxis: axis({
      tickvals: points.map((_, row) => row), ticktext: points.map(label), range: [points.length - 0.4, -0.6], zeroline: false,
      showgrid: false,
    }),
    shapes: [marginBand("x")],
    margin: { l: 130, r: 15, t: 10, b: 45 },
    annotations: points.length ? [] : nothing("Nothing was measured."),
  }, { displayModeBar: false }); // prettier-ignore
}

function shownAngles() {
  return byId("angles").value === "segments" ? STUDY.segments : STUDY.joints;
}

/** Angles from top to bottom as an axis. */
function angleAxis(angles) {
  return axis({
    tickvals: angles.map((_, index) => index), ticktext: angles.map(words), range: [angles.length - 0.4, -0.6], zeroline: false,
  }); // prettier-ignore
}

async function drawMethods() {
  const data = await table("summary");
  const measure = byId("measure").value;
  const methods = view.basis === "raw" ? [...STUDY.methods, STUDY.control] : STUDY.methods;
  const wanted = { measure, signal: view.signal, condition: view.condition };
  let basis = view.basis;
  let rows = where(data, { ...wanted, basis });
  if (!rows.length) rows = where(data, { ...wanted, basis: (basis = basis === "net" ? "raw" : "net") });
  const withMean = byId("angles").value !== "segments" && rows.some((row) => data.columns.angle.get(row) === STUDY.mean);
  const measured = new Set(rows.filter((row) => !Number.isNaN(data.columns.mean.get(row))).map((row) => data.columns.angle.get(row)));
  const listed = withMean ? [STUDY.mean, ...shownAngles()] : shownAngles();
  const angles = measured.size ? listed.filter((angle) => measured.has(angle)) : listed;
  const without = listed.filter((angle) => !angles.includes(angle));
  const facts = described("effects", measure) ?? { heading: measure, unit: "", text: "" };
  const records = rows.map((row) => record(data, row));
  const traces = methods.map((method, index) => {
    const mine = records.filter((one) => one.method === method && angles.includes(one.angle));
    const place = (index - (methods.length - 1) / 2) * (0.62 / methods.length);
    return {
      name: words(method), x: mine.map((one) => one.mean), y: mine.map((one) => angles.indexOf(one.angle) + place), mode: "markers",
      marker: { symbol: STUDY.looks[method].symbol, size: 8, color: colourOf(method) },
      error_x: {
        type: "data", symmetric: false, array: mine.map((one) => one.high - one.mean), arrayminus: mine.map((one) => one.mean - one.low),
        color: colourOf(method), thickness: 1.5, width: 0,
      },
      text: mine.map((one) => `${words(one.angle)}, ${method}: ${number(one.mean, 2)} (${number(one.low, 2)} to ${number(one.high, 2)}), ` +
        `${one.n_units} units`),
      hovertemplate: "%{text}<extra></extra>",
    };
  }); // prettier-ignore
  const unit = unitOf(facts);
  const meaning = facts.text.toLowerCase().startsWith(facts.heading.toLowerCase()) ? "" : `: ${facts.text}`;
  note("note-methods", `${facts.heading}${meaning}${unit ? ` (${unit})` : ""}. Mean over videos or subjects, ${basis === "net" ? "net of the control" : "raw"}, ` +
    `${view.signal}, with its ${100 * STUDY.level} % bootstrap interval.${basis === view.basis ? "" : ` It is not formed ${view.basis}.`}` +
    (without.length ? ` Not measured: ${without.map((angle) => words(angle).toLowerCase()).join(", ")}.` : "")); // prettier-ignore
  const height = Math.max(360, angles.length * 34 + 80);
  byId("chart-methods").style.height = `${height}px`;
  return plot("chart-methods", traces, {
    showlegend: true, height, yaxis: angleAxis(angles), margin: { l: 110, r: 15, t: 30, b: 45 },
    xaxis: axis({ title: facts.heading + (unit ? ` (${unit})` : "") + (basis === "net" ? ", net" : ""), zeroline: true }),
    shapes: unit === "°" ? [marginBand("x")] : [],
    annotations: records.length ? [] : nothing("Nothing was measured."),
  }); // prettier-ignore
}

/** A small table of what concerns the whole body: rows of measures, columns of methods. */
async function drawBody() {
  const data = await table("summary");
  const rows = where(data, { angle: "body", condition: view.condition }).map((row) => record(data, row));
  const measures = [...new Set(rows.map((row) => row.measure))];
  const methods = [...STUDY.methods, STUDY.control];
  const body = measures.map((measure) => {
    const facts = ["keypoint_effects", "identities", "headcounts", "effects"].map((name) => described(name, measure)).find(Boolean) ??
      STUDY.measures.find((one) => one.name === measure) ?? { heading: measure, unit: "", text: measure };
    const has = (basis) => rows.some((row) => row.measure === measure && row.basis === basis);
    const basis = has(view.basis) ? view.basis : has("raw") ? "raw" : "net";
    const cells = methods.map((method) => {
      const row = rows.find((one) => one.measure === measure && one.method === method && one.basis === basis);
      const low = row && !Number.isNaN(row.low) ? `${number(row.low, 3)} to ${number(row.high, 3)}` : "";
      return make("td", { className: "number" }, number(row?.mean ?? NaN, 3), make("span", { className: "interval" }, low));
    });
    return make("tr", {}, make("th", { scope: "row" }, heading(facts, basis === "net" ? ", net" : "")), ...cells);
  }); // prettier-ignore
  body.push(...(await peopleRows(methods, measures)));
  const head = make("tr", {}, make("th", { scope: "col" }, "Whole person"),
    ...methods.map((method) => make("th", { scope: "col", className: "number" }, words(method)))); // prettier-ignore
  byId("body").replaceChildren(...(body.length ? [make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))] : []));
}

/** What became of identities and of the number of people, over the videos of the condition. */
async function peopleRows(methods, known) {
  const data = await table("headcounts");
  if (!data.rows) return [];
  const inCondition = (row) => view.condition === ALL || STUDY.conditions[data.columns.video.get(row)] === view.condition;
  const sum = (rows, name) => rows.reduce((total, row) => total + data.columns[name].get(row), 0);
  const rowsOf = Object.fromEntries(methods.map((method) => [method, where(data, { method }).filter(inCondition)]));
  const kinds = [
    ["n_switches", "Identity switches a video", (rows) => number(sum(rows, "n_switches") / rows.length, 2)],
    ["n_frames_fewer", "Frames with fewer people (%)", (rows) => number((100 * sum(rows, "n_frames_fewer")) / sum(rows, "n_frames"), 1)],
    ["n_frames_more", "Frames with more people (%)", (rows) => number((100 * sum(rows, "n_frames_more")) / sum(rows, "n_frames"), 1)],
  ];
  return kinds.filter(([name]) => !known.includes(name)).map(([name, title, text]) => make("tr", {}, make("th", { scope: "row" }, heading({ ...described("headcounts", name), heading: title, unit: "" })),
    ...methods.map((method) => make("td", { className: "number" }, text(rowsOf[method]))))); // prettier-ignore
}

async function drawAgreement() {
  const data = await table("agreement");
  const rows = where(data, { condition: view.condition, signal: view.signal }).map((row) => record(data, row));
  const methods = [...STUDY.methods, STUDY.control];
  const angles = shownAngles().filter((angle) => rows.some((row) => row.angle === angle && !Number.isNaN(row.icc_2_1)));
  const of = (angle, method) => rows.find((row) => row.angle === angle && row.method === method)?.icc_2_1 ?? NaN;
  const z = angles.map((angle) => methods.map((method) => of(angle, method)));
  const element = byId("chart-agreement");
  element.style.height = `${Math.max(300, angles.length * 30 + 60)}px`;
  await plot("chart-agreement", [{
    type: "heatmap", x: methods.map(words), y: angles.map(words), z: z.map((line) => line.map((value) => (Number.isNaN(value) ? null : value))),
    zmin: 0, zmax: 1, xgap: 2, ygap: 2, colorscale: [[0, "#fff3d6"], [0.5, "#c7dcec"], [0.75, "#7fb2d6"], [0.9, "#2f7dbb"], [1, "#0b4a85"]],
    texttemplate: "%{z:.2f}", hovertemplate: "%{y}, %{x}: ICC %{z:.3f}<extra></extra>", showscale: false,
  }], {
    yaxis: axis({ autorange: "reversed", showgrid: false, dtick: 1 }), xaxis: axis({ side: "top", showgrid: false }), margin: { l: 110, r: 10, t: 30, b: 10 },
    annotations: angles.length ? [] : nothing("Nothing was measured."),
  }); // prettier-ignore
  onPlot(element, "plotly_click", (event) => {
    const [row, column] = event.points[0].pointNumber;
    if (methods[column] !== STUDY.control) view.method = methods[column];
    view.angle = angles[row];
    viewChanged();
  });
}

/** Listen to an event of a chart, and let go of what listened before. */
function onPlot(element, event, listener) {
  element.removeAllListeners?.(event);
  element.on(event, listener);
}

async function drawEquivalence() {
  const data = await table("equivalence");
  const angles = shownAngles();
  const rows = where(data, {
    method: view.method, condition: view.condition, signal: view.signal, basis: view.basis, measure: byId("tested").value,
  }).map((row) => record(data, row)).filter((row) => angles.includes(row.angle)); // prettier-ignore
  rows.sort((a, b) => angles.indexOf(a.angle) - angles.indexOf(b.angle));
  byId("head-equivalence").textContent = `Equivalence with the original: ${view.method}`;
  const traces = Object.keys(STUDY.verdicts).map((verdict, index) => {
    const mine = rows.filter((row) => row.verdict === verdict);
    return {
      name: verdict, x: mine.map((row) => row.mean), y: mine.map((row) => angles.indexOf(row.angle)), mode: "markers",
      marker: { symbol: ["circle", "x", "circle-open"][index], size: 9, color: verdictColour(verdict) },
      error_x: {
        type: "data", symmetric: false, array: mine.map((row) => row.high - row.mean), arrayminus: mine.map((row) => row.mean - row.low),
        color: verdictColour(verdict), thickness: 2, width: 4,
      },
      text: mine.map((row) => `<b>${words(row.angle)}: ${row.verdict}</b><br>${number(row.mean, 2, true)}° (${number(row.low, 2, true)} to ` +
        `${number(row.high, 2, true)})<br>p of equivalence ${pValue(row.p_equivalence_adjusted)}, of difference ${pValue(row.p_difference_adjusted)}` +
        (Number.isNaN(row.n_needed) ? "" : `<br>about ${whole(row.n_needed)} units would decide`)),
      hovertemplate: "%{text}<extra></extra>",
    };
  }); // prettier-ignore
  drawVerdicts(rows);
  const edgeAt = 1.15 * Math.max(STUDY.margin, ...rows.flatMap((row) => [Math.abs(row.low), Math.abs(row.high)]).filter(Number.isFinite));
  const edge = { type: "line", yref: "paper", y0: 0, y1: 1, line: { color: cssColour("--good"), width: 1, dash: "dot" } };
  return plot("chart-equivalence", traces, {
    showlegend: true, yaxis: angleAxis(angles), xaxis: axis({ title: `${byId("tested").selectedOptions[0].text}, ${view.basis} (°)`, zeroline: true, range: [-edgeAt, edgeAt] }),
    margin: { l: 110, r: 15, t: 30, b: 45 }, annotations: rows.length ? [] : nothing("Not tested in this way."),
    shapes: [marginBand("x"), ...[-1, 1].map((side) => ({ ...edge, x0: side * STUDY.margin, x1: side * STUDY.margin }))],
  }); // prettier-ignore
}

function drawVerdicts(rows) {
  const columns = ["mean", "low", "high", "p_equivalence_adjusted", "p_difference_adjusted", "n_units", "n_needed"];
  const cell = (row, name) => {
    if (name.startsWith("p_")) return pValue(row[name]);
    return name.startsWith("n_") ? whole(row[name]) : number(row[name], 2, true);
  };
  const head = make("tr", {}, make("th", { scope: "col" }, "Angle"), make("th", { scope: "col" }, heading(described("equivalence", "verdict"))),
    ...columns.map((name) => make("th", { scope: "col", className: "number" }, heading(described("equivalence", name))))); // prettier-ignore
  const body = rows.map((row) => make("tr", {}, make("th", { scope: "row" }, words(row.angle)),
    row.n_units ? make("td", { className: row.verdict }, `${STUDY.verdicts[row.verdict] ?? ""} ${row.verdict}`) : make("td", { className: "muted" }, "not measured"),
    ...columns.map((name) => make("td", { className: "number" }, cell(row, name))))); // prettier-ignore
  byId("verdicts").replaceChildren(
    make("h3", {}, `Equivalence of ${view.method}, ${byId("tested").selectedOptions[0].text}, ${view.basis}, ${view.signal}`),
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)),
  );
}

async function drawBland() {
  const [pairs, agreement] = await Promise.all([table("pairs"), table("agreement")]);
  const wanted = { method: view.method, angle: view.angle, signal: view.signal };
  const inCondition = (row) => view.condition === ALL || STUDY.conditions[pairs.columns.video.get(row)] === view.condition;
  const rows = where(pairs, wanted).filter(inCondition);
  const lines = where(agreement, { ...wanted, condition: view.condition }).map((row) => record(agreement, row))[0];
  const original = rows.map(pairs.columns.original_deg.get);
  const method = rows.map(pairs.columns.method_deg.get);
  byId("head-bland").textContent = `Bland–Altman: ${words(view.angle).toLowerCase()}, ${view.method}`;
  note("note-bland", `Single frames of the method against the original, raw; ${whole(rows.length)} points` +
    (lines ? ` of ${whole(lines.n_pairs)} frames. Bias ${number(lines.bias_deg, 2, true)}°, limits of agreement ${number(lines.loa_low_deg, 2, true)} to ` +
      `${number(lines.loa_high_deg, 2, true)}°. ` : ". ") + "Click a point to see its moment in its video."); // prettier-ignore
  const muted = cssColour("--muted");
  const marks = lines ? [["bias", lines.bias_deg, "solid"], ["lower limit", lines.loa_low_deg, "dash"], ["upper limit", lines.loa_high_deg, "dash"]]
    .filter(([, value]) => !Number.isNaN(value)) : []; // prettier-ignore
  const differences = original.map((value, at) => method[at] - value);
  const means = original.map((value, at) => (value + method[at]) / 2);
  // A few errors far out would hide all the others: they are beyond the axis, counted, and a double click shows them.
  const far = 2 * Math.max(0.5, ...marks.map(([, value]) => Math.abs(value)));
  const near = differences.map((value, at) => (marks.length === 0 || Math.abs(value) <= far ? at : -1)).filter((at) => at >= 0);
  const reach = 1.12 * Math.max(far / 2, ...near.map((at) => Math.abs(differences[at])));
  const xs = near.map((at) => means[at]);
  const across = xs.length ? [Math.min(...xs), Math.max(...xs)] : [0, 1];
  const edge = 0.05 * (across[1] - across[0]) + 0.5;
  if (near.length < rows.length) byId("note-bland").append(` ${whole(rows.length - near.length)} points lie beyond the axis; a double click shows them.`);
  const element = byId("chart-bland");
  await plot("chart-bland", [{
    x: means, y: differences, mode: "markers",
    marker: { size: 4.5, opacity: 0.4, color: colourOf(view.method), symbol: STUDY.looks[view.method].symbol },
    text: rows.map((row) => `${pairs.columns.video.get(row)}, frame ${pairs.columns.frame.get(row)}`),
    hovertemplate: "%{text}<br>mean %{x:.1f}°, difference %{y:.2f}°<extra></extra>",
  }], {
    xaxis: axis({ title: "Mean of original and method (°)", zeroline: false, range: [across[0] - edge, across[1] + edge] }), yaxis: axis({ title: "Method − original (°)", zeroline: true, range: [-reach, reach] }),
    shapes: marks.map(([, value, dash]) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: value, y1: value, line: { color: cssColour("--text"), width: 1.3, dash } })),
    annotations: rows.length || lines ? marks.map(([name, value]) => ({ xref: "paper", x: 1, xanchor: "right", y: value, yanchor: "bottom", showarrow: false,
      text: `${name} ${number(value, 1, true)}°`, font: { size: 11, color: muted } })) : nothing(pairs.rows ? "No single frames are kept of this." : "Nothing was measured."),
    margin: { l: 55, r: 15, t: 10, b: 45 },
  }); // prettier-ignore
  onPlot(element, "plotly_click", (event) => {
    const row = rows[event.points[0].pointNumber];
    const moment = { frame: pairs.columns.frame.get(row), person: pairs.columns.person.get(row), angle: view.angle, method: view.method };
    openVideo(pairs.columns.video.get(row), moment).catch(tell);
  });
}

async function drawRain() {
  const data = await table("points");
  const measure = view.basis === "net" ? "bias_net_deg" : "bias_deg";
  const methods = view.basis === "raw" ? [...STUDY.methods, STUDY.control] : STUDY.methods;
  byId("head-rain").textContent = `Distribution over videos: ${words(view.angle).toLowerCase()}`;
  const traces = methods.map((method) => {
    const rows = where(data, { method, angle: view.angle, signal: view.signal })
      .filter((row) => view.condition === ALL || STUDY.conditions[data.columns.video.get(row)] === view.condition)
      .filter((row) => !Number.isNaN(data.columns[measure].get(row)));
    const common = {
      name: words(method), orientation: "h", x: rows.map(data.columns[measure].get), y: rows.map(() => words(method)),
      text: rows.map(data.columns.video.get), hovertemplate: "%{text}: %{x:.2f}°<extra></extra>", hoveron: "points",
      marker: { color: colourOf(method), size: 5, opacity: 0.6, symbol: STUDY.looks[method].symbol }, line: { color: colourOf(method), width: 1.5 },
      fillcolor: faded(colourOf(method), 0.25),
    };
    // The axis runs downwards, so the cloud is on its negative side, and the rain below it.
    // A density of a handful of points would show what is not there.
    if (rows.length < 8) return { ...common, type: "box", boxpoints: "all", jitter: 0.3, pointpos: -1.4, width: 0.3 };
    return { ...common, type: "violin", side: "negative", points: "all", jitter: 0.5, pointpos: 0.65, width: 1.1,
      marker: { ...common.marker, size: rows.length > 100 ? 3 : 5, opacity: rows.length > 100 ? 0.35 : 0.6 },
      box: { visible: true, width: 0.12, fillcolor: cssColour("--panel") }, spanmode: "hard" };
  }); // prettier-ignore
  await plot("chart-rain", traces, {
    xaxis: axis({ title: `Bias, ${view.basis} (°)`, zeroline: true }), yaxis: axis({ autorange: "reversed", showgrid: false }),
    shapes: [marginBand("x")], margin: { l: 80, r: 15, t: 10, b: 45 },
    annotations: traces.some((trace) => trace.x.length) ? [] : nothing("Nothing was measured."),
  }); // prettier-ignore
  onPlot(byId("chart-rain"), "plotly_click", (event) => {
    const point = event.points[0];
    if (point.text) openVideo(point.text, { angle: view.angle, method: STUDY.methods[point.curveNumber] }).catch(tell);
  });
}

const DRAWN_BY = {
  "chart-tradeoff": drawTradeoff, "chart-methods": drawMethods, body: drawBody, "chart-agreement": drawAgreement,
  "chart-equivalence": drawEquivalence, "chart-bland": drawBland, "chart-rain": drawRain,
}; // prettier-ignore

async function draw(id) {
  charts.set(id, DRAWN_BY[id]);
  try {
    await DRAWN_BY[id]();
  } catch (error) {
    tell(error);
  }
}

function redrawAll() {
  for (const id of charts.keys()) draw(id);
  if (video) {
    drawTraces();
    drawFrame(true);
  }
}

function viewChanged() {
  const form = byId("view");
  for (const [name, value] of Object.entries(view)) form.elements[name].value = value;
  for (const id of charts.keys()) if (id !== "chart-tradeoff") draw(id);
}

async function fillView() {
  const [summary, agreement] = await Promise.all([table("summary"), table("agreement")]);
  const measured = [...STUDY.joints, ...STUDY.segments];
  const conditions = [ALL, ...summary.columns.condition.texts.filter((name) => name !== ALL).sort()];
  const form = byId("view");
  fill(form.elements.angle, measured, view.angle);
  fill(form.elements.method, STUDY.methods, view.method);
  fill(form.elements.condition, conditions, view.condition);
  form.elements.condition.parentElement.hidden = conditions.length < 2;
  form.elements.signal.value = view.signal;
  form.elements.basis.value = view.basis;
  const measures = (summary.columns.measure?.texts ?? []).filter((name) => described("effects", name));
  fill(byId("measure"), measures, measures.includes("mae_deg") ? "mae_deg" : measures[0], (name) => described("effects", name).heading);
  if (!agreement.rows) byId("chart-agreement").dataset.empty = "yes";
  form.addEventListener("change", () => {
    for (const name of Object.keys(view)) view[name] = form.elements[name].value;
    viewChanged();
  });
  byId("measure").addEventListener("change", () => draw("chart-methods"));
  byId("angles").addEventListener("change", () => ["chart-methods", "chart-agreement", "chart-equivalence"].forEach(draw));
  byId("tested").addEventListener("change", () => draw("chart-equivalence"));
}

// ------------------------------------------------------------------------------------------------------------- tables

/** Rows of a table in an order, after a search and filters; what the table library asks for is computed here. */
function chosenRows(data, search, filters, order) {
  const rows = [];
  const columns = Object.values(data.columns);
  const words_ = search.toLowerCase().split(/\s+/).filter(Boolean);
  // Every different text is looked at once, however many rows have it.
  const texts = columns.filter((column) => column.isText);
  const hits = words_.map((word) => texts.map((column) => column.texts.map((text) => text.toLowerCase().includes(word))));
  for (let row = 0; row < data.rows; row += 1) {
    if (hits.every((hit) => texts.some((column, index) => hit[index][column.codes[row]])) && filters.every((test) => test(row))) rows.push(row);
  }
  if (order) {
    const column = columns[order.column];
    const sign = order.dir === "desc" ? -1 : 1;
    if (column.isText) {
      const rank = [];
      const collator = new Intl.Collator("en", { numeric: true });
      column.texts.map((_, code) => code).sort((a, b) => collator.compare(column.texts[a], column.texts[b])).forEach((code, at) => (rank[code] = at)); // prettier-ignore
      rows.sort((a, b) => sign * (rank[column.codes[a]] - rank[column.codes[b]]) || a - b);
    } else {
      const value = (row) => column.get(row);
      // What is missing comes last in either direction.
      rows.sort((a, b) => Number.isNaN(value(a)) - Number.isNaN(value(b)) || sign * (value(a) - value(b)) || a - b);
    }
  }
  return rows;
}

/** Put a sortable, searchable, paged table into an element. Returns what it shows and how to draw it again. */
async function dataTable(element, name, { filters = () => [], onDraw = () => {}, length = 25, action = null } = {}) {
  await Promise.all([library("datatables"), table(name)]);
  const data = await table(name);
  const DataTable = deidposeModule.default;
  const facts = STUDY.tables[name].columns;
  const columns = Object.values(data.columns);
  const state = { data, rows: [] };
  const html = make("table", { className: "display compact", "aria-label": STUDY.tables[name].heading });
  const head = make("tr", {}, ...facts.map((fact) => make("th", { scope: "col", "data-text": fact.text }, fact.heading + (unitOf(fact) ? ` (${unitOf(fact)})` : ""))));
  html.append(make("thead", {}, head));
  element.replaceChildren(html);
  let last = "";
  const ask = (request, answer) => {
    const tests = filters();
    const order = request.order[0];
    const key = JSON.stringify([request.search.value, order, tests.map((test) => test.key)]);
    if (key !== last) state.rows = chosenRows(data, request.search.value, tests, order);
    last = key;
    const page = state.rows.slice(request.start, request.start + request.length);
    const cells = (row) => columns.map((column, index) => shown(column, facts[index], column.get(row)));
    answer({ draw: request.draw, recordsTotal: data.rows, recordsFiltered: state.rows.length, data: page.map((row) => [...cells(row), row]) });
    onDraw(state);
  };
  const text = DataTable.render.text();
  state.api = new DataTable(html, {
    serverSide: true, ajax: ask, pageLength: length, lengthMenu: [10, 25, 50, 100], order: [], autoWidth: false, searchDelay: 1,
    layout: { topStart: "search", topEnd: "pageLength", bottomStart: "info", bottomEnd: "paging" },
    language: { info: "_START_ to _END_ of _TOTAL_ rows", infoFiltered: "(of _MAX_)", infoEmpty: "no rows", emptyTable: "No rows.", zeroRecords: "No rows.",
      search: "Search", lengthMenu: "_MENU_ rows a page" },
    columns: columns.map((column, index) => ({
      data: index, className: column.isText ? "" : "number", orderSequence: ["asc", "desc", ""],
      render: (value, type) => (STUDY.tables[name].columns[index].name === "method" || facts[index].name === "angle" ? text.display(words(value), type) : text.display(value, type)),
    })),
    createdRow: (line, values) => action?.(line, values[values.length - 1], data),
  }); // prettier-ignore
  state.element = html;
  return state;
}

let current = null; // the table that is shown under Tables

/** Filters by every column with few different texts, and by one number. */
function fillFilters(name, data) {
  const selects = Object.values(data.columns)
    .filter((column) => column.isText && column.texts.length > 1 && column.texts.length <= 60)
    .map((column) => {
      const select = make("select", { name: column.name });
      const label = (value) => (value === "" ? "(empty)" : words(value));
      select.append(make("option", { value: "\u0000" }, "any"), ...[...column.texts].sort().map((value) => make("option", { value }, label(value))));
      return make("label", {}, `${described(name, column.name).heading} `, select);
    });
  const numbers = make("select", { name: "number", ariaLabel: "Column of numbers" });
  numbers.append(make("option", { value: "" }, "no number"), ...Object.values(data.columns).filter((column) => !column.isText)
    .map((column) => make("option", { value: column.name }, described(name, column.name).heading))); // prettier-ignore
  const sign = make("select", { name: "sign", ariaLabel: "At least or at most" }, make("option", { value: "1" }, "at least"), make("option", { value: "-1" }, "at most"));
  const value = make("input", { name: "value", type: "number", step: "any", ariaLabel: "Value", style: "width: 6rem" });
  byId("filter").replaceChildren(...selects, make("fieldset", {}, numbers, sign, value), make("button", { type: "reset" }, "Clear"));
}

function activeFilters(data) {
  const tests = [];
  const add = (key, test) => tests.push(Object.assign(test, { key }));
  for (const select of byId("filter").querySelectorAll("label select")) {
    if (select.value === "\u0000") continue;
    const column = data.columns[select.name];
    const code = column.texts.indexOf(select.value);
    add(`${select.name}=${code}`, (row) => column.codes[row] === code);
  }
  const { number: chosen, sign, value } = byId("filter").elements;
  if (chosen?.value && value.value !== "") {
    const column = data.columns[chosen.value];
    add(`${chosen.value}${sign.value}${value.value}`, (row) => Number(sign.value) * (column.get(row) - Number(value.value)) >= 0);
  }
  return tests;
}

async function showTable(name) {
  byId("which").value = name;
  const data = await table(name);
  fillFilters(name, data);
  const facts = STUDY.tables[name];
  const part = data.rows < facts.total ? ` The page holds ${whole(data.rows)} of ${whole(facts.total)} rows, those that matter most; the release holds all.` : "";
  note("note-table", facts.row + part);
  current = await dataTable(byId("table"), name, {
    filters: () => activeFilters(data),
    onDraw: (state) => (byId("download").textContent = `Download ${whole(state.rows.length)} rows (CSV)`),
  });
  current.name = name;
}

function csvField(value) {
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(Math.round(value * 1e6) / 1e6);
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

function csvOf(data, rows) {
  const columns = Object.values(data.columns);
  const lines = rows.map((row) => columns.map((column) => csvField(column.get(row))).join(","));
  return [columns.map((column) => column.name).join(","), ...lines, ""].join("\n");
}

function download() {
  const url = URL.createObjectURL(new Blob([csvOf(current.data, current.rows)], { type: "text/csv" }));
  make("a", { href: url, download: `${current.name}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function startTables() {
  byId("which").addEventListener("change", (event) => showTable(event.target.value).catch(tell));
  byId("download").addEventListener("click", download);
  const again = () => current.api.draw();
  byId("filter").addEventListener("input", again);
  byId("filter").addEventListener("reset", () => setTimeout(again));
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  for (const link of document.querySelectorAll("a[data-table]")) {
    link.addEventListener("click", () => showTable(link.dataset.table).catch(tell));
  }
}

// ------------------------------------------------------------------------------------------------- videos: their data

let video = null; // the video that is shown: facts, times, series by source and person
let picker = null;
const unpacked = new Map(); // the last few videos
const MOST_UNPACKED = 3;
const awaited = {};

/** What the files beside the page call. */
window.deidposeVideo = (id, text) => (awaited[id] = text);

async function packedVideo(id) {
  const inside = document.querySelector(`script[data-video="${CSS.escape(id)}"]`);
  if (inside) return inside.textContent;
  if (!Object.hasOwn(STUDY.beside, id)) throw new Error(`there are no skeletons of video ${id}`);
  // In the release they are beside the page; where the workflow makes the page, with the other data of videos.
  await loadScript(STUDY.beside[id]).catch((error) => loadScript(`videos/${id}.js`).catch(() => Promise.reject(error)));
  const text = awaited[id];
  delete awaited[id];
  return text;
}

/** Undo payload._deltas: rows of n numbers, each the difference from the one before, modulo 2^16. */
function summed(deltas, n) {
  const values = new Int16Array(deltas.length);
  for (let start = 0; start < deltas.length; start += n) {
    for (let i = 0, value = 0; i < n; i += 1) values[start + i] = value = ((value + deltas[start + i]) << 16) >> 16;
  }
  return values;
}

async function videoData(id) {
  if (!unpacked.has(id)) {
    const { header, arrays } = await unpack(await packedVideo(id));
    const series = header.series.map((one, index) => ({
      ...one, position: summed(arrays[1 + 2 * index], one.n), angles: summed(arrays[2 + 2 * index], one.n),
    })); // prettier-ignore
    unpacked.set(id, { ...header, id, times: arrays[0], series });
    if (unpacked.size > MOST_UNPACKED) unpacked.delete(unpacked.keys().next().value);
  }
  return unpacked.get(id);
}

function seriesOf(source, person) {
  return video.series.find((one) => one.source === source && one.person === person);
}

/** Degrees of one source over all kept frames; NaN where there are none. */
function anglesOf(source, person, angle, signal) {
  const values = new Float64Array(video.times.length).fill(NaN);
  const series = seriesOf(source, person);
  if (!series) return values;
  const row = ((signal === "filtered" ? 1 : 0) * video.angles.length + video.angles.indexOf(angle)) * series.n;
  for (let i = 0; i < series.n; i += 1) {
    const value = series.angles[row + i];
    if (value !== MISSING_SHORT) values[series.start + i] = value * video.degrees;
  }
  return values;
}

/** Method minus original in degrees, without whole turns, as in the table of effects. */
function differenceOf(value, original, angle) {
  const turn = STUDY.turns[angle] ?? 360;
  const difference = value - original;
  return difference - turn * Math.ceil((difference - turn / 2) / turn);
}

/** The place of a keypoint in a kept frame, or nothing. */
function placeOf(series, keypoint, index) {
  const i = index - series.start;
  if (i < 0 || i >= series.n) return null;
  const x = series.position[2 * keypoint * series.n + i];
  if (x === MISSING_SHORT) return null;
  return [x * video.pixels, series.position[(2 * keypoint + 1) * series.n + i] * video.pixels];
}

function chosen() {
  const form = byId("choose");
  const sources = [...form.querySelectorAll('input[name="source"]:checked')].map((box) => box.value);
  return { person: Number(form.elements.person.value), angle: form.elements.angle.value, signal: form.elements.signal.value, sources };
}

async function openVideo(id, { frame = 0, person = null, angle = null, method = null, scroll = true } = {}) {
  pause();
  const data = await videoData(id);
  video = data;
  document.documentElement.dataset.unpacked = String(unpacked.size);
  byId("viewer").hidden = false;
  byId("viewer").dataset.video = id;
  byId("video-name").textContent = id;
  const thinned = data.step > 1 ? `Of this long video every ${data.step}th frame is shown. ` : "";
  const gained = data.series.some((one) => one.person < 0) ? "Dotted skeletons are people whom only a method sees. " : "";
  note("note-video", `${thinned}${gained}Angles are degrees in the picture plane; below are the differences from the original and the margin of ${STUDY.margin}°.`);
  note("video-facts", `${data.width} × ${data.height} px, ${whole(data.n_frames)} frames, ${number(data.times[data.times.length - 1], 1)} s`);
  fillChoices(person, angle, method);
  byId("seek").max = String(data.times.length - 1);
  box = null;
  await drawTraces();
  seek(Math.round(frame / data.step));
  markOpen();
  if (scroll) {
    byId("video-name").focus({ preventScroll: true });
    byId("viewer").scrollIntoView({ block: "start" });
  }
}

function fillChoices(person, angle, method) {
  const form = byId("choose");
  const before = { angle: form.elements.angle.value || view.angle, signal: form.elements.signal.dataset.set ? form.elements.signal.value : view.signal };
  const names = Object.fromEntries(video.people.map((one) => [String(one.person), `${one.person}${one.patient ? " — patient" : ""}, ${whole(one.n_frames)} frames`]));
  const numbers = video.people.map((one) => String(one.person));
  fill(form.elements.person, numbers, person === null ? numbers[0] : String(person), (value) => names[value]);
  fill(form.elements.angle, video.angles, angle ?? before.angle);
  form.elements.signal.value = before.signal;
  form.elements.signal.dataset.set = "yes";
  const checked = new Set(chosen().sources.length ? chosen().sources : [view.method]);
  if (method) checked.add(method);
  const boxes = video.sources.filter((source) => source !== "original").map((source) =>
    make("label", {}, make("input", { type: "checkbox", name: "source", value: source, checked: checked.has(source) }), ` ${words(source)} `)); // prettier-ignore
  byId("sources").replaceChildren(...boxes);
}

/** The video before or after the one that is shown, in the order of the list. */
function neighbour(step) {
  const names = picker.data.columns.video;
  const at = picker.rows.findIndex((row) => names.get(row) === video.id);
  const row = picker.rows[at + step];
  if (row !== undefined) openVideo(names.get(row), { scroll: false }).catch(tell);
}

function markOpen() {
  for (const line of byId("picker").querySelectorAll("tbody tr")) line.classList.toggle("open", line.dataset.video === video?.id);
}

async function startPicker() {
  const action = (line, row, data) => {
    const id = data.columns.video.get(row);
    line.dataset.video = id;
    const button = make("button", { type: "button", ariaLabel: `Show video ${id}` }, id);
    button.addEventListener("click", () => openVideo(id).catch(tell));
    line.cells[0].replaceChildren(button);
  };
  picker = await dataTable(byId("picker"), "videos", { length: 10, action });
  picker.api.on("draw", markOpen);
  const first = picker.rows[0];
  if (first !== undefined) await openVideo(picker.data.columns.video.get(first), { scroll: false });
}

// ----------------------------------------------------------------------------------------------------- videos: player

let index = 0; // of the kept frame that is shown
let playing = 0; // the request of the next frame of the animation
let lastTick = 0;
let elapsed = 0; // time in the video, in seconds
let box = null; // the part of the picture that is shown

function seek(to) {
  index = Math.max(0, Math.min(video.times.length - 1, to));
  elapsed = video.times[index];
  byId("seek").value = String(index);
  const text = `${number(elapsed, 2)} s`;
  byId("clock").textContent = text;
  byId("seek").setAttribute("aria-valuetext", `${text}, frame ${index * video.step}`);
  drawFrame();
  placeCursor();
}

/** The last kept frame at or before a time. */
function indexAt(time) {
  let low = 0;
  let high = video.times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (video.times[middle] <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

function tick(now) {
  const end = video.times[video.times.length - 1];
  const time = elapsed + ((now - lastTick) / 1000) * Number(byId("speed").value);
  lastTick = now;
  if (time >= end) {
    seek(video.times.length - 1);
    pause();
    return;
  }
  const next = indexAt(time);
  if (next !== index) seek(next);
  elapsed = time;
  playing = requestAnimationFrame(tick);
}

function play() {
  if (!video) return;
  if (index === video.times.length - 1) seek(0);
  lastTick = performance.now();
  playing = requestAnimationFrame(tick);
  showPlaying();
}

function pause() {
  cancelAnimationFrame(playing);
  playing = 0;
  showPlaying();
}

function showPlaying() {
  byId("play").textContent = playing ? "❚❚" : "▶";
  byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
}

function step(by) {
  pause();
  seek(index + by);
}

/** What is shown: the whole picture, or a box around the chosen person or everyone, over the whole video. */
function boxShown() {
  const zoom = byId("zoom").value;
  const { person } = chosen();
  const around = video.series.filter((one) => one.source === "original" && (zoom === "everyone" || one.person === person));
  if (zoom === "picture" || !around.length) return [0, 0, video.width, video.height];
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const series of around) {
    for (let i = series.start; i < series.start + series.n; i += 1) {
      for (let keypoint = 0; keypoint < video.keypoints.length; keypoint += 1) {
        const place = placeOf(series, keypoint, i);
        if (!place) continue;
        [left, right] = [Math.min(left, place[0]), Math.max(right, place[0])];
        [top, bottom] = [Math.min(top, place[1]), Math.max(bottom, place[1])];
      }
    }
  }
  const pad = 0.06 * Math.max(right - left, bottom - top);
  return [left - pad, top - pad, right - left + 2 * pad, bottom - top + 2 * pad];
}

function drawSkeleton(context, series, look) {
  const names = video.keypoints;
  context.strokeStyle = look.colour;
  context.fillStyle = look.colour;
  context.lineWidth = look.width;
  context.globalAlpha = look.alpha;
  context.setLineDash(look.dash);
  context.beginPath();
  for (const [from, to] of STUDY.limbs) {
    const [a, b] = [placeOf(series, names.indexOf(from), index), placeOf(series, names.indexOf(to), index)];
    if (!a || !b) continue;
    context.moveTo(...look.onCanvas(a));
    context.lineTo(...look.onCanvas(b));
  }
  context.stroke();
  context.setLineDash([]);
  for (let keypoint = 0; keypoint < names.length; keypoint += 1) {
    const place = placeOf(series, keypoint, index);
    if (!place) continue;
    context.beginPath();
    context.arc(...look.onCanvas(place), 1 + look.width / 2, 0, 2 * Math.PI);
    context.fill();
  }
  context.globalAlpha = 1;
}

function dashOf(source) {
  const dash = STUDY.looks[source]?.dash ?? "solid";
  return dash === "solid" ? [] : dash.split(",").map((part) => 1.6 * parseFloat(part));
}

/** Everyone of these sources in one part of the canvas. */
function drawPanel(context, sources, [left, top, width, height], title) {
  const [x, y, w, h] = box;
  const scale = Math.min(width / w, height / h);
  const [dx, dy] = [left + (width - scale * w) / 2, top + (height - scale * h) / 2];
  const onCanvas = ([px, py]) => [dx + (px - x) * scale, dy + (py - y) * scale];
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.strokeStyle = cssColour("--line");
  context.lineWidth = 1;
  context.strokeRect(...onCanvas([0, 0]), video.width * scale, video.height * scale);
  const { person } = chosen();
  for (const source of sources) {
    for (const series of video.series.filter((one) => one.source === source)) {
      const mine = series.person === person;
      const dash = series.person < 0 ? [2, 3] : dashOf(source);
      // The original is a broad band below, so that it shows where a method is the same.
      const width = (source === "original" ? 4.5 : 1.8) * (mine ? 1 : 0.65);
      const alpha = (source === "original" ? 0.4 : 1) * (mine ? 1 : 0.45);
      drawSkeleton(context, series, { colour: colourOf(source), width, alpha, dash, onCanvas });
    }
  }
  context.fillStyle = cssColour("--muted");
  context.font = "12px system-ui, sans-serif";
  context.fillText(title, left + 8, top + 16);
  context.restore();
}

function drawFrame(again = false) {
  if (!video) return;
  const canvas = byId("canvas");
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || again) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  box ??= boxShown();
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const sources = ["original", ...chosen().sources];
  if (byId("layout").value === "over") {
    drawPanel(context, sources, [0, 0, width, height], sources.map(words).join(", "));
    return;
  }
  // Upright pictures stand side by side, wide ones in rows.
  const across = box[2] > 1.4 * box[3] && sources.length > 1 ? Math.ceil(sources.length / 2) : sources.length;
  const down = Math.ceil(sources.length / across);
  const [w, h] = [width / across, height / down];
  sources.forEach((source, at) => drawPanel(context, [source], [(at % across) * w, Math.floor(at / across) * h, w, h], words(source)));
}

// ----------------------------------------------------------------------------------------------------- videos: traces

const TRACE_MARGIN = { l: 56, r: 14, t: 30, b: 42 };
let range = [0, 1]; // of the time axis of the traces, in seconds

/** The smallest and the largest value of each of so many parts, in order: as it looks with all values, and quicker. */
function thinned(times, values, [from, to], parts) {
  const first = Math.max(0, indexAt(from) - 1);
  const last = Math.min(times.length - 1, indexAt(to) + 1);
  const n = last - first + 1;
  if (n <= 2 * parts) return [times.slice(first, last + 1), values.slice(first, last + 1)];
  const [x, y] = [[], []];
  for (let part = 0; part < parts; part += 1) {
    const [start, end] = [first + Math.floor((part * n) / parts), first + Math.floor(((part + 1) * n) / parts)];
    let [low, high] = [start, start];
    for (let i = start; i < end; i += 1) {
      if (Number.isNaN(values[low]) || values[i] < values[low]) low = i;
      if (Number.isNaN(values[high]) || values[i] > values[high]) high = i;
    }
    for (const i of low < high ? [low, high] : [high, low]) {
      x.push(times[i]);
      y.push(values[i]);
    }
  }
  return [x, y];
}

function traceOf(source, values, extra) {
  const parts = Math.max(200, byId("chart-traces").clientWidth);
  const [x, y] = thinned(video.times, values, range, parts);
  return {
    x: Array.from(x), y: Array.from(y, (value) => (Number.isNaN(value) ? null : value)), mode: "lines", name: words(source),
    line: { color: colourOf(source), width: source === "original" ? 2 : 1.6, dash: STUDY.looks[source].dash }, connectgaps: false,
    hovertemplate: `${words(source)} %{y:.1f}°<extra></extra>`, ...extra,
  }; // prettier-ignore
}

async function drawTraces(keepRange = false) {
  if (!video) return;
  if (!keepRange) range = [video.times[0], Math.max(video.times[video.times.length - 1], video.times[0] + 0.01)];
  const { person, angle, signal, sources } = chosen();
  const original = anglesOf("original", person, angle, signal);
  const traces = [traceOf("original", original, {})];
  for (const source of sources) {
    const values = anglesOf(source, person, angle, signal);
    traces.push(traceOf(source, values, {}));
    traces.push(traceOf(source, values.map((value, at) => differenceOf(value, original[at], angle)), { yaxis: "y2", showlegend: false }));
  }
  const seen = original.some((value) => !Number.isNaN(value));
  const element = byId("chart-traces");
  await plot("chart-traces", traces, {
    showlegend: true, margin: TRACE_MARGIN, hovermode: "x", dragmode: "zoom",
    xaxis: axis({ title: "Time (s)", range, anchor: "y2", zeroline: false, automargin: false }),
    yaxis: axis({ title: `${words(angle)} (°)`, domain: [0.4, 1], zeroline: false, automargin: false, fixedrange: true }),
    yaxis2: axis({ title: "Difference (°)", domain: [0, 0.34], automargin: false, fixedrange: true }),
    shapes: [marginBand("y", { yref: "y2" })],
    annotations: seen ? [] : nothing("The original does not show this angle of this person."),
  }); // prettier-ignore
  onPlot(element, "plotly_relayout", (change) => {
    if ("xaxis.range[0]" in change) range = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    else if (!change["xaxis.autorange"]) return;
    drawTraces(!change["xaxis.autorange"]);
  });
  placeCursor();
}

/** Where the plot lies inside its element: its left edge and its width, in pixels. */
function plotSpan() {
  const element = byId("chart-traces");
  return [element.offsetLeft + TRACE_MARGIN.l, element.clientWidth - TRACE_MARGIN.l - TRACE_MARGIN.r];
}

function placeCursor() {
  const [left, width] = plotSpan();
  const share = (video.times[index] - range[0]) / (range[1] - range[0]);
  byId("cursor").hidden = share < 0 || share > 1;
  byId("cursor").style.left = `${left + share * width}px`;
}

function seekTo(event) {
  const [left, width] = plotSpan();
  const share = (event.clientX - byId("chart-traces").parentElement.getBoundingClientRect().left - left) / width;
  if (share >= 0 && share <= 1) seek(indexAt(range[0] + share * (range[1] - range[0])));
}

function startTraces() {
  const element = byId("chart-traces");
  let pressed = null;
  element.addEventListener("pointermove", (event) => {
    if (!playing && event.buttons === 0 && event.pointerType === "mouse") seekTo(event);
  });
  element.addEventListener("pointerdown", (event) => (pressed = event), true);
  window.addEventListener("pointerup", (event) => {
    // A drag chooses a time to look at closely; a click is a drag of no length.
    if (pressed && Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) < 4) seekTo(event);
    pressed = null;
  }, true); // prettier-ignore
}

function startPlayer() {
  byId("play").addEventListener("click", () => (playing ? pause() : play()));
  byId("back").addEventListener("click", () => step(-1));
  byId("forward").addEventListener("click", () => step(1));
  byId("seek").addEventListener("input", (event) => seek(Number(event.target.value)));
  byId("layout").addEventListener("change", () => drawFrame());
  byId("zoom").addEventListener("change", () => drawFrame((box = null) === null));
  byId("previous").addEventListener("click", () => neighbour(-1));
  byId("next").addEventListener("click", () => neighbour(1));
  byId("choose").addEventListener("submit", (event) => event.preventDefault());
  byId("choose").addEventListener("change", () => {
    box = null;
    drawTraces(true).catch(tell);
    drawFrame();
  });
  byId("player").addEventListener("keydown", (event) => {
    const inControl = ["SELECT", "INPUT"].includes(event.target.tagName);
    const steps = { ArrowLeft: event.shiftKey ? -10 : -1, ArrowRight: event.shiftKey ? 10 : 1, Home: -Infinity, End: Infinity };
    if (event.key === " " && event.target.tagName !== "BUTTON" && event.target.tagName !== "SELECT") playing ? pause() : play();
    else if (event.key in steps && !inControl) step(steps[event.key]);
    else return;
    event.preventDefault();
  });
  addEventListener("resize", () => {
    if (!video) return;
    drawFrame(true);
    placeCursor();
  });
}

// -------------------------------------------------------------------------------------------------------------- start

let themeBefore; // what was chosen before the page went to print

/** On paper the charts are light, as wide as the paper, and everything that can be opened is open. */
function beforePrint() {
  themeBefore = document.documentElement.dataset.theme ?? "";
  document.documentElement.dataset.theme = "light";
  for (const part of document.querySelectorAll("details:not([open])")) {
    part.open = true;
    part.dataset.closed = "yes";
  }
  for (const chart of document.querySelectorAll('[data-drawn="yes"]')) chart.dataset.width = String(chart.clientWidth);
  redrawAll();
  for (const chart of document.querySelectorAll('[data-drawn="yes"]')) Plotly.relayout(chart, { width: 680 });
}

function afterPrint() {
  if (themeBefore) document.documentElement.dataset.theme = themeBefore;
  else delete document.documentElement.dataset.theme;
  for (const part of document.querySelectorAll("details[data-closed]")) {
    part.open = false;
    delete part.dataset.closed;
  }
  for (const chart of document.querySelectorAll('[data-drawn="yes"]')) Plotly.relayout(chart, { width: null, autosize: true });
  applyTheme();
}

function idle() {
  return new Promise((resolve) => (window.requestIdleCallback ?? setTimeout)(() => resolve(), { timeout: 500 }));
}

async function start() {
  for (const element of document.querySelectorAll(".script")) if (element.id !== "viewer") element.hidden = false;
  document.addEventListener("focusin", showTip);
  document.addEventListener("focusout", hideTip);
  document.addEventListener("mouseover", showTip);
  document.addEventListener("mouseout", hideTip);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
  addEventListener("hashchange", openTarget);
  openTarget();
  byId("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", applyTheme);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  applyTheme();
  if (byId("chart-tradeoff")) await draw("chart-tradeoff");
  if (!byId("view")) return;
  document.head.prepend(make("style", {}, new TextDecoder().decode(await inflate(document.querySelector('script[data-library="datatables_style"]').textContent))));
  startPlayer();
  startTraces();
  startTables();
  await fillView();
  // One after the other, with pauses in which the page answers.
  for (const id of Object.keys(DRAWN_BY)) {
    await idle();
    if (id !== "chart-tradeoff") await draw(id);
  }
  await idle();
  await startPicker();
  await idle();
  await showTable("choice");
  document.documentElement.dataset.ready = "yes";
}

start().catch(tell);
