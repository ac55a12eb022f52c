// A peer on Node's tls. Takes orders on stdin, one a line; peers/program.py says in which form.
import crypto from "node:crypto";
import fs from "node:fs";
import readline from "node:readline";
import tls from "node:tls";

const PATIENCE = 20_000; // milliseconds

const sha256 = (data) => crypto.createHash("sha256").update(data).digest("hex");

const answer = (order, fields) =>
  process.stdout.write(`id=${order.id}\t${Object.entries(fields).map((pair) => pair.join("=")).join("\t")}\n`);

function options(order) {
  const version = `TLSv${order.version}`;
  const found = { minVersion: version, maxVersion: version, ciphers: order.openssl_suite, ca: fs.readFileSync(order.ca) };
  if (order.openssl_groups) found.ecdhCurve = order.openssl_groups;
  if (order.alpn) found.ALPNProtocols = order.alpn.split(",");
  if (order.cert) {
    found.cert = fs.readFileSync(order.cert);
    found.key = fs.readFileSync(order.key);
  }
  return found;
}

// Has the conversation, in as many rounds as there are chunks; resolves when the other side has ended.
function talk(order, socket, received) {
  return new Promise((resolve, reject) => {
    const data = fs.readFileSync(order.send);
    const chunks = order.chunks.split(",").map(Number);
    const sizes = order.sizes.split(",").map(Number);
    const client = order.role === "client";
    let sent = 0;
    let turn = 0;
    let missing = sizes[0];
    const say = () => {
      const end = sent + chunks[turn];
      socket.write(data.subarray(sent, end));
      sent = end;
    };
    socket.setTimeout(PATIENCE, () => reject(new Error("timeout")));
    socket.on("error", reject);
    socket.on("data", (bytes) => {
      fs.writeSync(received, bytes);
      missing -= bytes.length;
      if (missing > 0) return;
      if (missing < 0) return reject(new Error("more data than expected"));
      if (!client) say();
      turn += 1;
      if (turn < chunks.length) {
        missing = sizes[turn];
        if (client) say();
      }
    });
    socket.on("end", () => {
      socket.end();
      if (turn < chunks.length) reject(new Error("the other side ended too early"));
      else resolve();
    });
    if (client) say();
  });
}

// What is known once the handshake is over; later the socket forgets it.
function look(order, socket, facts) {
  const seen = {
    version: socket.getProtocol().replace("TLSv", ""),
    suite: socket.getCipher().standardName,
    alpn: socket.alpnProtocol || "",
    resumed: socket.isSessionReused(),
    exporter: socket.exportKeyingMaterial(32, "EXPORTER-glasslock-interop").toString("hex"),
  };
  if (order.role === "server") seen.server_name = socket.servername || "";
  for (const [name, value] of Object.entries(seen)) (facts[name] ??= []).push(value);
}

async function connect(order, received, facts) {
  let session;
  for (let number = 0; number < Number(order.connections); number += 1) {
    const socket = tls.connect({
      ...options(order), host: "127.0.0.1", port: Number(order.port), servername: order.name, session,
      requestOCSP: Boolean(order.ocsp),
    });
    if (order.ocsp) socket.on("OCSPResponse", (response) => { facts.ocsp = [sha256(response ?? "")]; });
    socket.on("session", (fresh) => { session = fresh; });
    socket.on("secureConnect", () => look(order, socket, facts));
    const closed = new Promise((resolve) => socket.on("close", resolve));
    try {
      await talk(order, socket, received);
      await closed;
    } finally {
      socket.destroy();
    }
  }
}

function serve(order, received, facts) {
  return new Promise((resolve, reject) => {
    const given = options(order);
    if (order.other_cert) {
      const other = tls.createSecureContext({
        ...given, cert: fs.readFileSync(order.other_cert), key: fs.readFileSync(order.other_key),
      });
      given.SNICallback = (name, done) => done(null, name === order.other_name ? other : undefined);
    }
    if (order.want_client) Object.assign(given, { requestCert: true, rejectUnauthorized: true });
    let missing = Number(order.connections);
    const server = tls.createServer({ ...given, allowHalfOpen: true });
    const timer = setTimeout(() => finish(new Error("nobody came")), PATIENCE);
    function finish(problem) {
      clearTimeout(timer);
      server.close();
      if (problem) reject(problem);
      else resolve();
    }
    server.on("tlsClientError", finish);
    server.on("error", finish);
    if (order.ocsp) server.on("OCSPRequest", (own, issuer, done) => done(null, fs.readFileSync(order.ocsp)));
    server.on("secureConnection", (socket) => {
      look(order, socket, facts);
      talk(order, socket, received).then(() => {
        missing -= 1;
        if (missing === 0) finish();
      }, finish);
    });
    server.listen(0, "127.0.0.1", () => answer(order, { port: server.address().port }));
  });
}

async function work(order) {
  const received = fs.openSync(order.received, "w");
  const facts = {};
  try {
    await (order.role === "client" ? connect : serve)(order, received, facts);
    const joined = Object.entries(facts).map(([name, values]) => [name, values.join(",")]);
    answer(order, { ok: 1, ...Object.fromEntries(joined) });
  } catch (problem) {
    answer(order, { error: String(problem.stack ?? problem).replace(/\s+/g, " ") });
  } finally {
    fs.closeSync(received);
  }
}

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => work(Object.fromEntries(line.split("\t").map((field) => {
  const cut = field.indexOf("=");
  return [field.slice(0, cut), field.slice(cut + 1)];
}))));
lines.on("close", () => process.exit(0));
