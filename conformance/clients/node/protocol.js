'use strict';
// The line protocol of ../protocol.py, for Node.
const readline = require('readline');

exports.serve = (connect, call, failure) => {
  let client;
  let queue = Promise.resolve();
  const answer = async (line) => {
    const request = JSON.parse(line);
    try {
      if (request.op === 'connect') {
        client = await connect(request);
        return { ok: true };
      }
      return { ok: true, body: await call(client, request.action, request.params) };
    } catch (error) {
      return { ok: false, ...failure(error) };
    }
  };
  readline.createInterface({ input: process.stdin }).on('line', (line) => {
    queue = queue.then(() => answer(line)).then((reply) => {
      process.stdout.write(`${JSON.stringify(reply)}\n`);
    });
  });
};
