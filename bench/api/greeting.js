// Node's http: the greeting.
const http = require("node:http");

http
  .createServer((_, response) => {
    response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8", "Content-Length": 13 });
    response.end("Hello, World!");
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
