// Serves this folder on http://localhost:8000 (or the port that is given): `node serve.mjs`.

import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm" };

/// A server of this folder that listens on this machine alone; port 0 is any that is free.
export function serve(port) {
  const server = createServer((request, response) => {
    // Already without dots: nothing outside the folder.
    const path = new URL(request.url, "http://localhost").pathname;
    const file = path === "/" ? "/index.html" : path;
    createReadStream(join(HERE, file))
      .on("error", () => response.writeHead(404).end())
      .once("open", () => response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream"))
      .pipe(response);
  });
  return new Promise((resolve) => server.listen(port, "localhost", () => resolve(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await serve(Number(process.argv[2] ?? 8000));
  console.log(`http://localhost:${server.address().port}`);
}
