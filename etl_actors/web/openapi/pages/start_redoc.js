// Draws the API with ReDoc, which would otherwise tell its makers about every visit, and show a logo fetched from them.
import { init } from "/docs/assets/redoc.js";

// The page's policy lets no foreign image in, and says so on the console; so none is even asked for, in neither way.
const image = HTMLImageElement.prototype;
const src = Object.getOwnPropertyDescriptor(image, "src");
const isOurs = (url) => url.startsWith("data:") || new URL(url, location).origin === location.origin;
Object.defineProperty(image, "src", { ...src, set(url) { if (isOurs(url)) src.set.call(this, url); } });
image.setAttribute = function (name, value) {
  if (name !== "src" || isOurs(value)) Element.prototype.setAttribute.call(this, name, value);
};

init("/openapi.json", { disableTelemetry: true }, document.getElementById("redoc"));
