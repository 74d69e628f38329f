onmessage = async ({data}) => {
  globalThis.closecapFile = data.file;
  let last = "";
  console.error = line => { last ||= String(line); };
  const go = new Go();
  go.exit = code => { if (code) postMessage({kind: "ended", why: last || "exit status " + code}); };
  try {
    await go.run(await WebAssembly.instantiate(data.program, go.importObject));
  } catch (e) {
    postMessage({kind: "ended", why: last || String(e)});
  }
};
