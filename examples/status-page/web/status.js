"use strict";

const list = document.getElementById("services");

async function refresh() {
  const answer = await fetch("api/status");
  const services = await answer.json() || [];
  list.replaceChildren(...services.map((service) => {
    const item = document.createElement("li");
    item.textContent = service.name;
    item.className = service.up ? "up" : "down";
    item.title = service.seen;
    return item;
  }));
}

refresh();
setInterval(refresh, 60_000);
