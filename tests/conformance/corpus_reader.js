// A client's reader in plain Node: reads the corpus in the folder it is given and says where it sees something else than the manifest.
const assert = require("assert");
const fs = require("fs");
const path = require("path");

const folder = process.argv[2];
const manifest = JSON.parse(fs.readFileSync(path.join(folder, "manifest.json"), "utf8"));

function attempt(read) {
  try {
    return read();
  } catch {
    return null;
  }
}

function json(bytes) {
  return attempt(() => JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)));
}

function events(bytes) {
  const found = [];
  let data = null;
  for (const line of new TextDecoder().decode(bytes).split(/\r\n|\n|\r/).slice(0, -1)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (line === "") {
      if (data) found.push(data.join("\n"));
      data = null;
    } else if (name === "data") {
      (data = data || []).push(value);
    }
  }
  return found;
}

function stream(bytes) {
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  const objects = events(bytes).map((text) => attempt(() => JSON.parse(text))).filter(isObject);
  const tokens = objects.map((event) => event.token);
  return {
    tokens: tokens.filter((token) => typeof token === "string" && token !== ""),
    final: objects.find((event) => event.done === true) || null,
  };
}

let wrong = 0;
for (const { file, expected } of manifest.recordings) {
  const bytes = fs.readFileSync(path.join(folder, file));
  const got = file.endsWith(".sse") ? stream(bytes) : { fields: json(bytes) };
  try {
    for (const name of Object.keys(got)) assert.deepStrictEqual(got[name], expected[name]);
  } catch (error) {
    wrong += 1;
    console.log(`${file}: ${error.message}`);
  }
}
console.log(`${manifest.recordings.length} answers read, ${wrong} not as expected`);
process.exit(wrong || manifest.recordings.length === 0 ? 1 : 0);
