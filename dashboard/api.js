// Shows /openapi.json. Everything from it is put in as text, never as HTML.
"use strict";

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// A schema with what it refers to in its place, as deep as people read.
function resolved(whole, schema, depth) {
  if (Array.isArray(schema)) return schema.map((each) => resolved(whole, each, depth));
  if (schema === null || typeof schema !== "object") return schema;
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    const target = whole.components.schemas[name];
    return depth > 0 && target ? resolved(whole, target, depth - 1) : name;
  }
  const kept = Object.entries(schema).filter(([key]) => key !== "title");
  return Object.fromEntries(kept.map(([key, value]) => [key, resolved(whole, value, depth)]));
}

function schemaOf(whole, content) {
  const parts = [];
  for (const [kind, media] of Object.entries(content || {})) {
    parts.push(element("p", {}, element("code", {}, kind)));
    const schema = media["x-event-data"] || media.schema;
    if (schema && Object.keys(schema).length > 0) {
      const text = JSON.stringify(resolved(whole, schema, 3), null, 2);
      parts.push(element("pre", { tabindex: "0" }, text));
    }
  }
  return parts;
}

function parameters(list) {
  if (list.length === 0) return [];
  const rows = list.map((one) =>
    element("tr", {},
      element("td", {}, element("code", {}, one.name)),
      element("td", {}, one.in + (one.required ? ", needed" : "")),
      element("td", {}, one.description)));
  return [element("table", {}, element("tbody", {}, ...rows))];
}

function operation(whole, path, verb, one) {
  const head = element("summary", {},
    element("span", { class: "verb" }, verb.toUpperCase()),
    element("code", {}, path), " ", one.summary,
    element("span", { class: "scope" }, one["x-scope"] || "open"));
  const parts = parameters(one.parameters || []);
  if (one.requestBody) {
    parts.push(element("h3", {}, "takes"), ...schemaOf(whole, one.requestBody.content));
  }
  for (const [status, answer] of Object.entries(one.responses)) {
    parts.push(element("h3", {}, status + ": " + answer.description));
    if (status < "300") parts.push(...schemaOf(whole, answer.content));
  }
  const made = element("details", {}, head, ...parts);
  made.dataset.words = [path, verb, one.summary, one.operationId, one["x-scope"] || "open"].join(" ").toLowerCase();
  return made;
}

function show(whole) {
  const groups = new Map();
  for (const [path, verbs] of Object.entries(whole.paths)) {
    for (const [verb, one] of Object.entries(verbs)) {
      const tag = (one.tags || [""])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(whole, path, verb, one));
    }
  }
  const sections = [...groups].map(([tag, all]) => element("section", {}, element("h2", {}, tag), ...all));
  document.getElementById("all").replaceChildren(element("p", {}, whole.info.description), ...sections);
}

function find(event) {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const one of document.querySelectorAll("details")) {
    one.hidden = !words.every((word) => one.dataset.words.includes(word));
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = section.querySelector("details:not([hidden])") === null;
  }
}

document.getElementById("find").addEventListener("input", find);
fetch("/openapi.json")
  .then((answer) => answer.json())
  .then(show)
  .catch((error) => {
    document.getElementById("all").replaceChildren(element("p", {}, "The description cannot be read: " + error));
  });
