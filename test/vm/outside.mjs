/**
 * The world outside, for guests that reach out: HTTP on 8000, names (UDP) on 53. `node outside.mjs ADDRESS [ANSWER]`. Each request is a line
 * on stdout. Every name has the address ANSWER, but those of `nosuch.test`, which are not there.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';

const [, , address = '127.0.0.1', answer] = process.argv;
const tell = (line) => process.stdout.write(`${line}\n`);
const listening = [];

const http = createServer((request, response) => {
  const from = request.socket.remoteAddress;
  tell(`http from ${from}`);
  response.end(`${address} sees ${from}\n`);
});
listening.push(new Promise((resolve) => http.listen(8000, address, resolve)));

function onUdp(port, handle) {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    const reply = handle(message, from);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  listening.push(new Promise((resolve) => socket.bind(port, address, resolve)));
}

if (answer !== undefined) onUdp(53, answerName);

/** RFC 1035: the question again, and one A record that points back to it. */
function answerName(query) {
  const labels = [];
  let at = 12;
  for (; query[at] > 0; at += 1 + query[at]) labels.push(query.subarray(at + 1, at + 1 + query[at]).toString('latin1'));
  const name = labels.join('.').toLowerCase();
  const question = query.subarray(12, at + 5);
  const type = query.readUInt16BE(at + 1);
  tell(`dns ${name} ${type}`);
  const found = !name.endsWith('nosuch.test') && name.includes('.');
  const records = found && type === 1 ? 1 : 0;
  const head = Buffer.alloc(12);
  query.copy(head, 0, 0, 2);
  head.writeUInt16BE(found ? 0x8580 : 0x8583, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records, 6);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...answer.split('.').map(Number)]);
  return Buffer.concat([head, question, ...(records > 0 ? [record] : [])]);
}

await Promise.all(listening);
tell('ready');
