// The editor's workers, from this host. `WORKERS` is written by build.mjs: the hashed file name of each.

globalThis.MonacoEnvironment = {
  getWorker(_id, label) {
    const file = WORKERS[label] ?? WORKERS.editor;
    return new Worker(new URL(`./${file}`, import.meta.url), { name: label });
  },
};
