// Who is looking? Where the service asks for keys, one is asked for here, once; after that a cookie shows who it was.
"use strict";

// The pages that lead here to log in. Nobody is led anywhere else, whatever an address says.
const PAGES = ["/docs", "/redoc"];

const part = (id) => document.getElementById(id);

// Calls `begin` once the API answers us, now or after a login.
async function whenLoggedIn(begin) {
  let session;
  try {
    session = await fetch("/api/session");
  } catch {
    setTimeout(() => whenLoggedIn(begin), 1000);  // the service is away for a moment
    return;
  }
  if (session.status === 401) {
    askForKey(() => whenLoggedIn(begin));
    return;
  }
  const wanted = new URLSearchParams(location.search).get("next");
  if (session.ok && PAGES.includes(wanted)) {
    location.replace(wanted);  // somebody came here to log in
    return;
  }
  const { key_id } = session.ok ? await session.json() : {};
  part("logout").hidden = key_id == null;
  part("login").hidden = true;
  part("page").hidden = false;
  begin();
}

function askForKey(then) {
  part("login").hidden = false;
  part("live").textContent = "locked";
  part("key").focus();
  part("login").onsubmit = async (event) => {
    event.preventDefault();
    const answer = await logIn(part("key").value.trim());
    part("key").value = "";
    part("refusal").textContent = answer;
    if (!answer) then();
  };
}

// What is wrong, or "" once logged in.
async function logIn(key) {
  try {
    const answer = await fetch("/api/session", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key }),
    });
    return answer.ok ? "" : (await answer.json()).detail;
  } catch {
    return "the service does not answer";
  }
}

part("logout").onclick = async () => {
  await fetch("/api/session", { method: "DELETE" });
  location.reload();
};
