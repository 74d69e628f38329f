"use strict";
const at = id => document.getElementById(id);
const say = (text, failed) => { at("status").textContent = text; at("status").classList.toggle("failed", !!failed); };

// The program is compiled once; each file gets a worker with a fresh instance of it.
const program = (async () => {
  const packed = Uint8Array.from(atob(at("wasm").textContent), c => c.charCodeAt(0));
  at("wasm").remove();
  const wasm = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return WebAssembly.compile(await new Response(wasm).arrayBuffer());
})();
const workerURL = URL.createObjectURL(new Blob([JSON.parse(at("worker").textContent)], {type: "text/javascript"}));

let worker = null, shown = "";

function finish() {
  worker?.terminate();
  worker = null;
  at("progress").hidden = true;
}

function show(page) {
  if (shown) URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(new Blob([page], {type: "text/html"}));
  at("report").src = shown;
  at("report").hidden = false;
}

async function analyze(file) {
  finish();
  at("report").hidden = true;
  at("progress").hidden = false;
  at("progress").removeAttribute("value");
  say("reading " + file.name);
  const begun = performance.now();
  const mine = worker = new Worker(workerURL);
  const fail = why => { if (worker === mine) { finish(); say(file.name + ": " + why, true); } };
  mine.onerror = e => fail(e.message || "the program ended");
  mine.onmessage = ({data}) => {
    if (worker !== mine) return;
    switch (data.kind) {
    case "progress":
      at("progress").max = data.of;
      at("progress").value = data.read;
      break;
    case "ended":
      fail("the program ended: " + data.why);
      break;
    case "page":
      finish();
      if (data.page) show(data.page);
      const took = ((performance.now() - begun) / 1000).toFixed(1);
      say(data.error ? (data.error.includes(file.name) ? "" : file.name + ": ") + data.error : file.name + ": read in " + took + " s, in this page alone", data.error);
    }
  };
  try {
    mine.postMessage({program: await program, file});
  } catch (e) {
    fail(String(e));
  }
}

at("file").onchange = e => { if (e.target.files[0]) analyze(e.target.files[0]); };
addEventListener("dragover", e => { e.preventDefault(); at("drop").classList.add("over"); });
addEventListener("dragleave", () => at("drop").classList.remove("over"));
addEventListener("drop", e => {
  e.preventDefault();
  at("drop").classList.remove("over");
  const [file, ...more] = e.dataTransfer.files;
  if (more.length) say("one capture at a time: this reads " + file.name);
  if (file) analyze(file);
});
