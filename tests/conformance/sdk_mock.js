// What the SDKs' own tests answer with, as a server: canned, tokenless, no validation. MOCK_FAULTS=1 adds two faults.
const http = require("http");

const faults = process.env.MOCK_FAULTS === "1";
const blank = faults ? "\n" : "\n\n"; // the last event without its blank line

const events = [
  'data: {"token":"The","done":false,"provider":"ollama"}\n\n',
  'data: {"token":" moon","done":false,"provider":"ollama"}\n\n',
  `data: {"done":true,"latency_ms":1234.5,"session_id":"abc-123"}${blank}`,
];

http.createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => (body += piece));
  request.on("end", () => {
    if (request.url === "/api/v1/inference/stream") {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      events.forEach((event) => response.write(event));
      return response.end();
    }
    if (request.url === "/api/v1/embeddings") {
      const input = JSON.parse(body).input;
      const data = [].concat(input).map((text, index) => ({ embedding: [0.1, 0.2, 0.3], index }));
      const usage = faults ? undefined : { prompt_tokens: 5, total_tokens: 5 };
      response.writeHead(200, { "Content-Type": "application/json" });
      return response.end(JSON.stringify({ data, model: "nomic-embed-text", usage }));
    }
    response.writeHead(404).end();
  });
}).listen(process.env.MOCK_PORT || 0, "127.0.0.1", function () {
  console.log(this.address().port);
});
