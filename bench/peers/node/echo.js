// The echo server on Node. Usage: echo.js tcp|tls|udp PORT
"use strict";
const dgram = require("dgram");
const fs = require("fs");
const net = require("net");
const tls = require("tls");

const [mode, port] = process.argv.slice(2);
const backlog = 4096;

function echo(socket) {
  socket.on("error", () => {}); // the client has gone
  socket.pipe(socket);
}

if (mode === "udp") {
  const socket = dgram.createSocket("udp4");
  socket.on("message", (message, from) => socket.send(message, from.port, from.address));
  socket.bind(Number(port), "127.0.0.1");
} else {
  const server = mode === "tls"
    ? tls.createServer({ noDelay: true, cert: fs.readFileSync("build/cert.pem"), key: fs.readFileSync("build/key.pem") }, echo)
    : net.createServer({ noDelay: true }, echo);
  server.on("tlsClientError", () => {});
  server.listen({ host: "127.0.0.1", port: Number(port), backlog });
}
