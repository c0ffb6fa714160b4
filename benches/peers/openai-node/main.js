// flood|paced URL: reads an answer by openai-node.
import process from "node:process";

import OpenAI from "openai";

function used() {
  const cpu = process.cpuUsage();
  return [Number(process.hrtime.bigint()), (cpu.user + cpu.system) * 1000, process.resourceUsage().voluntaryContextSwitches];
}

const paced = process.argv[2] === "paced";
let text = 0;
let chunks = 0;
let finished = false;
const delays = [];
const start = used();
const client = new OpenAI({ apiKey: "key", baseURL: process.argv[3] });
const stream = await client.chat.completions.create({
  model: "m",
  messages: [{ role: "user", content: "Hello" }],
  stream: true,
});
for await (const chunk of stream) {
  chunks++;
  for (const choice of chunk.choices) {
    const content = choice.delta.content;
    if (content) {
      text += Buffer.byteLength(content);
      if (paced) delays.push(Number(process.hrtime.bigint() - BigInt(content)));
    }
    finished ||= choice.finish_reason !== null;
  }
}
const end = used();
if (!finished) throw new Error("the answer stopped before its end");
let report = `wall=${end[0] - start[0]} cpu=${end[1] - start[1]} switches=${end[2] - start[2]} text=${text} chunks=${chunks}`;
if (delays.length > 0) {
  delays.sort((a, b) => a - b);
  report += ` p50=${delays[Math.floor(delays.length / 2)]} p99=${delays[Math.floor((delays.length * 99) / 100)]}`;
}
console.log(report);
