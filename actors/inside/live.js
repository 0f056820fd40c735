"use strict";
const token = new URLSearchParams(location.search).get("token");
async function look() {
  const answer = await fetch("/state", { headers: { Authorization: "Bearer " + token }, cache: "no-store" });
  document.getElementById("state").textContent = JSON.stringify(await answer.json(), null, 1);
}
look();
