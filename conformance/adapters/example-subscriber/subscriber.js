// A subscriber in some sixty lines of JavaScript that share nothing with sttp-kit: version 2, compact, not compressed.
// node subscriber.js dial HOST PORT, or, for a reverse connection, node subscriber.js listen HOST PORT
import net from "node:net";
import readline from "node:readline";

const [verb, host, port] = process.argv.slice(2);
const FILTER = Buffer.from("filterExpression={FILTER ActiveMeasurements WHERE True}; includeTime=true");
const received = []; // signal ID, ticks, value and flags of each measurement, as JSON

const u32 = (number) => Buffer.from([number >>> 24, number >>> 16, number >>> 8, number]);
const guid = (bytes) => bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
const masks = [0xfc, 0xef03, 0xbf0000, 0xe0000000, 0x1000, 0x400000]; // what each compact flag stands for
const text = (value) => (Number.isFinite(value) ? (Object.is(value, -0) ? "-0.0" : value) : `"${value}"`);
const states = (flags) => masks.reduce((all, mask, bit) => all + (flags & (1 << bit) ? mask : 0), 0);

function converse(socket) {
  const caches = [new Map(), new Map()];
  let bases = [0n, 0n];
  let buffer = Buffer.alloc(0);
  const say = (code, ...payload) => {
    const command = Buffer.concat([Buffer.from([code]), ...payload]);
    socket.write(Buffer.concat([u32(command.length), command]));
  };
  const hear = {
    0x83: (payload) => { // a signal index cache
      const cache = (caches[payload[0] ? 1 : 0] = new Map());
      for (let left = payload.readInt32BE(21), at = 25; left > 0; left--) {
        cache.set(payload.readInt32BE(at), guid(payload.subarray(at + 4, at + 20)));
        at += 32 + payload.readInt32BE(at + 20);
      }
      say(0x0a);
    },
    0x84: (payload) => { bases = [payload.readBigInt64BE(4), payload.readBigInt64BE(12)]; },
    0x82: (payload) => { // compact measurements
      const cache = caches[payload[0] & 0x10 ? 1 : 0];
      for (let left = payload.readInt32BE(1), at = 5; left > 0; left--) {
        const flags = payload[at], short = flags & 0x40;
        const signal = cache.get(payload.readInt32BE(at + 1)), value = text(payload.readFloatBE(at + 5));
        const offset = short ? BigInt(payload.readUInt32BE(at + 9)) : payload.readBigInt64BE(at + 9);
        const ticks = short ? bases[flags >> 7] + offset : offset;
        if (signal) received.push(`["${signal}",${ticks},${value},${states(flags)}]`);
        at += short ? 13 : 17;
      }
    },
  };
  socket.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    while (buffer.length >= 4 && buffer.length >= 4 + buffer.readUInt32BE(0)) {
      const frame = buffer.subarray(4, 4 + buffer.readUInt32BE(0));
      buffer = buffer.subarray(4 + frame.length);
      hear[frame[0]]?.(frame.subarray(6));
    }
  });
  socket.on("error", () => {}); // the end follows
  say(0x06, u32(0x202));
  say(0x02, Buffer.from([2]), u32(FILTER.length), FILTER);
}

function dial() {
  const socket = net.connect(port, host, () => converse(socket));
  socket.on("error", () => {}).on("close", () => setTimeout(dial, 1000));
}

if (verb === "dial") dial();
else net.createServer(converse).listen(port, host);

// The adapter: what the suite asks on stdin is answered on stdout.
readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, do: request } = JSON.parse(line);
  const answer = request === "report" ? `"ok":true,"measurements":[${received.splice(0)}]` : `"unsupported":true`;
  process.stdout.write(`{"id":${id},${answer}}\n`);
}).on("close", () => process.exit());
