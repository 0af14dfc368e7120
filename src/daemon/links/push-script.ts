import { MIN_NODE, NODE_PLACES } from '../../runtime/dyno-node.ts';
import { shellQuoted } from '../../runtime/programs.ts';
import type { ExecRequest } from '../../transport/transport.ts';

/**
 * What the dyno answers begins with this, on a line of its own (a login shell's start-up files may
 * print too), followed by a word and what belongs to it: `begin` (nothing else reads its stdin: the
 * upload may travel), `ready VERSION` (Node is there), `none [VERSION]` (no Node, or an older one
 * only), `port PORT` (where the agent is about to answer: connections to it wait), `started` (it
 * does), `failed REASON`.
 */
export const PUSH_MARK = 'epmux-push ';

/** The whole stay of this program in the dyno, and so a little less than its caller waits. */
const STAY_MS = 19_000;
/** What is unpacked may have so many bytes. */
const MAX_AGENT_BYTES = 16 * 1024 * 1024;

/**
 * The agent's Node starts with this, while the upload is still on its way. On stdin it is told the
 * agent's file and its options, or it ends with who started it.
 */
const WAITING = oneLine(`
let told = "";
process.stdin.setEncoding("utf8").on("data", (text) => { told += text; }).on("end", () => {
  if (!told) process.exit(1);
  const [file, ...args] = JSON.parse(told);
  process.title = "epmux agent";
  process.argv.splice(1, process.argv.length, file, ...args);
  import(require("node:url").pathToFileURL(file));
});
`).replaceAll('"', '`');

/**
 * Runs in the dyno's Node. Listens, and starts the agent's Node with that socket, at once: the
 * connection to it is made while the upload travels. Takes one line of JSON (`PushHeader`) and the
 * packed agent behind it from stdin, which stays open until the agent answers: its end means that
 * nobody waits any more. Nothing is written before all of it is there and its digest is right; what
 * fails later is undone. Here are no single quotes and no backslashes, for it travels within a
 * shell's single quotes.
 */
const PROGRAM = `
const fs = require("node:fs"), os = require("node:os"), path = require("node:path");
const newline = String.fromCharCode(10);
const chunks = [];
let length = 0, header, folder, agent, over = false;
const say = (answer, then) => process.stdout.write("${PUSH_MARK}" + answer + newline, then);
const end = (answer) => {
  over = true;
  say(answer, (error) => {
    if (error) undo();
    process.exit();
  });
};
const undo = () => {
  if (agent) agent.kill("SIGKILL");
  if (folder) fs.rmSync(folder, { recursive: true, force: true });
};
const fail = (why) => {
  if (over) return;
  undo();
  end("failed " + String(why).split(newline).join(" ").slice(0, 400));
};
process.on("uncaughtException", (error) => fail(error.message));
process.stdout.on("error", () => { undo(); process.exit(); });
setTimeout(() => fail("it took too long"), ${STAY_MS});
const server = require("node:net").createServer().listen(0, "127.0.0.1", () => {
  const env = { ...process.env };
  delete env.NODE_OPTIONS;
  const stdio = ["pipe", "pipe", "pipe", server._handle.fd];
  agent = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(WAITING)}], { detached: true, cwd: "/", env, stdio });
  const { port } = server.address();
  server.close();
  let said = "", complaint = "";
  agent.on("error", (error) => fail(error.message));
  agent.on("close", (code) => fail("the agent ended at once, exit " + code + ": " + complaint));
  agent.stdin.on("error", () => {});
  agent.stderr.on("data", (chunk) => { complaint = (complaint + chunk).slice(-300); });
  agent.stdout.on("data", (chunk) => {
    said += chunk;
    if (!over && said.includes(newline)) end("started");
  });
  say("port " + port);
  take();
});
server.on("error", (error) => fail(error.message));
const makeFolder = () => {
  const places = [[os.tmpdir(), "epmux-"], [os.homedir(), ".epmux-"]];
  let reason;
  for (const [base, name] of places) {
    try {
      return fs.mkdtempSync(path.join(base, name + process.getuid() + "-"));
    } catch (error) {
      reason ??= error;
    }
  }
  throw reason;
};
const start = (packed) => {
  const code = require("node:zlib").gunzipSync(packed, { maxOutputLength: ${MAX_AGENT_BYTES} });
  const sum = require("node:crypto").createHash("sha256").update(code).digest("hex");
  if (sum !== header.sha256) return fail("what arrived is not what was sent");
  folder = makeFolder();
  const file = path.join(folder, "agent.mjs");
  fs.writeFileSync(file, code, { mode: 0o600, flag: "wx" });
  fs.writeFileSync(path.join(folder, "secret"), header.secret, { mode: 0o600, flag: "wx" });
  agent.stdin.end(JSON.stringify([file, "--pushed", folder, "--listen-fd", "3", ...header.args]));
};
const take = () => process.stdin
  .on("end", () => fail("the upload was cut short"))
  .on("data", (chunk) => {
    if (folder || over) return;
    chunks.push(chunk);
    length += chunk.length;
    if (length > ${MAX_AGENT_BYTES}) return fail("it is too much");
    if (!header) {
      const line = Buffer.concat(chunks), at = line.indexOf(10);
      if (at < 0) return;
      header = JSON.parse(line.subarray(0, at));
      chunks.splice(0, chunks.length, line.subarray(at + 1));
      length = line.length - at - 1;
    }
    if (length >= header.bytes) start(Buffer.concat(chunks).subarray(0, header.bytes));
  });
`;

/**
 * Says which Node it found (`ready`) and becomes the program above, or that there is none. The
 * look, and Node's start, take as long as the upload's way.
 */
const SHELL = `
echo "${PUSH_MARK}begin";
for n in ${NODE_PLACES}; do
v=$("$n" --version 2>/dev/null </dev/null) || continue;
major=\${v#v}; major=\${major%%.*};
case $major in ""|*[!0-9]*) continue;; esac;
if [ "$major" -ge ${MIN_NODE} ]; then
echo "${PUSH_MARK}ready $v";
exec "$n" -e '${oneLine(PROGRAM)}';
fi;
old=$v;
done;
echo "${PUSH_MARK}none $old"
`;

/** For any login shell: the dyno's may be no POSIX shell. Nothing secret stands in it. */
export const PUSH_REQUEST: ExecRequest = {
  command: `exec sh -c ${shellQuoted(oneLine(SHELL))}`,
};

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ');
}
