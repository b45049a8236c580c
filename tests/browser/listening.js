// What the page of a developer does with the feed. Everything that happens is kept, for the tests to read.
"use strict";

window.kept = {};

window.keepSocket = (name, address, protocols) => {
  const socket = new WebSocket(address, protocols);
  const kept = window.kept[name] = { source: socket, heard: [], opened: 0, failed: 0, closed: null };
  socket.onopen = () => { kept.opened += 1; };
  socket.onmessage = ({ data }) => kept.heard.push(JSON.parse(data));
  socket.onerror = () => { kept.failed += 1; };
  socket.onclose = ({ code, reason, wasClean }) => { kept.closed = { code, reason, wasClean }; };
};

window.keepStream = (name, address, options) => {
  const stream = new EventSource(address, options);
  const kept = window.kept[name] = { source: stream, heard: [], opened: 0, failed: 0 };
  stream.onopen = () => { kept.opened += 1; };
  stream.onmessage = ({ data, lastEventId }) => kept.heard.push({ id: lastEventId, event: JSON.parse(data) });
  stream.onerror = () => { kept.failed += 1; };
};
