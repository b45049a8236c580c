// The page a newcomer opens first: how the connectors are (polled from REST) and what arrives (from /ws).
"use strict";

const byId = (id) => document.getElementById(id);
const WATCHED = ["BTC", "ETH", "SOL", "BNB", "XRP", "DOGE", "ADA"];
const STATUS_EVERY_MS = 2000;
const PRICE_ROWS = 40;
const DIGITS = 10;

const cell = (text, className = "") => {
  const element = document.createElement("td");
  element.textContent = text ?? "–";
  element.className = className;
  return element;
};

const row = (...cells) => {
  const element = document.createElement("tr");
  element.append(...cells);
  return element;
};

const ago = (time) => {
  if (!time) return "–";
  const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
  return seconds < 90 ? `${seconds.toFixed(0)} s ago` : `${(seconds / 60).toFixed(0)} min ago`;
};

async function json(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (response.status === 401) location.reload();  // the session is over; the page asks for a key again
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function showStatus() {
  try {
    const { connectors } = await json("/api/connectors");
    const states = await Promise.all(connectors.map((one) => json(`/api/connectors/${encodeURIComponent(one.connector_id)}/status`)));
    byId("connectors").replaceChildren(...connectors.map((one, index) => {
      const state = states[index];
      return row(
        cell(one.connector_name), cell(state.state, state.state), cell(`${state.effective_interval_seconds ?? "–"} s`),
        cell(state.latency_p50_ms == null ? "–" : `${Math.round(state.latency_p50_ms)} ms`, "number"), cell(state.items, "number"),
        cell(ago(state.last_success)), cell(trouble(state)));
    }));
    const status = await json("/api/status");
    byId("rows").textContent = (await json("/api/data/items?limit=1")).total.toLocaleString();
    byId("offset").textContent = status.subscribers.head ?? "–";
    byId("subscribers").textContent = status.subscribers.subscribers;
  } catch {
    // The live badge already says that the service is away.
  } finally {
    setTimeout(showStatus, STATUS_EVERY_MS);
  }
}

// An error that is over is history, and not what is wrong.
const trouble = (state) => (state.state === "running" || state.state === "throttled" ? state.warning : state.last_error) ?? "";

// Every digit is stored; the page shows the first few.
const short = (number) => (number == null ? "–" : Number(number).toLocaleString("en", { maximumSignificantDigits: DIGITS, useGrouping: false }));

const newest = new Map();
let arrivals = [];

function showPrices() {
  const shown = [...newest.entries()].sort().slice(0, PRICE_ROWS);
  byId("prices").replaceChildren(...shown.map(([, item]) => {
    const change = item.price_change_24h;
    return row(
      cell(`${item.coin_symbol}/${item.quote_symbol ?? "?"}`), cell(short(item.price), "number"),
      cell(change == null ? "–" : `${Number(change).toFixed(2)} %`, `number ${change < 0 ? "down" : "up"}`),
      cell(item.connector_id, "quiet"));
  }));
}

function takeItems(items) {
  for (const item of items) {
    if (WATCHED.includes(item.coin_symbol) && item.price != null && ["USD", "USDT"].includes(item.quote_symbol)) {
      newest.set(`${item.coin_symbol}/${item.quote_symbol}/${item.connector_id}`, item);
    }
  }
  if (newest.size) showPrices();
}

async function showStored() {
  for (const symbol of WATCHED) {
    const { items } = await json(`/api/data/items/symbol/${symbol}?limit=60`);
    takeItems(items.reverse());
  }
}

function take(event) {
  if (event.offset != null) byId("offset").textContent = event.offset;
  if (event.type === "price_update") takeItems(event.data.items);
  const now = Date.now();
  if (event.type === "price_update" || event.type === "data_update") arrivals.push(now);
  arrivals = arrivals.filter((time) => time > now - 60000);
  byId("rate").textContent = arrivals.length;
}

function listen(pause = 500) {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  const badge = byId("live");
  socket.onopen = () => { badge.textContent = "live"; badge.className = "badge up"; pause = 500; };
  socket.onmessage = (message) => take(JSON.parse(message.data));
  socket.onclose = () => {
    badge.textContent = "reconnecting"; badge.className = "badge down";
    setTimeout(() => listen(Math.min(pause * 2, 10000)), pause);
  };
}

whenLoggedIn(() => {
  showStatus();
  showStored().catch(() => {});  // what arrives on /ws fills the table all the same
  listen();
});
