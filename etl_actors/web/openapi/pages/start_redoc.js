// Draws the API with ReDoc, which would otherwise tell its makers about every visit.
import { init } from "/docs/assets/redoc.js";

init("/openapi.json", { disableTelemetry: true }, document.getElementById("redoc"));
