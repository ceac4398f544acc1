// Compiles a folder of Python modules for Lambda's runtime and packs it: node pack.mjs FOLDER ZIP
//
// CPython 3.13 does both, as WebAssembly: the bytecode is the runtime's, and the bytes are the same on every machine,
// whatever Python and zlib it has. The bytecode names its source by hash: whoever edits that in Lambda's console sees it.
import { basename, dirname, resolve } from "node:path";
import { loadPyodide } from "pyodide";

// Else Node shows the line that failed, which is all of Pyodide.
process.on("uncaughtException", (error) => {
  console.error(String(error?.message ?? error));
  process.exit(1);
});
const [folder, target] = process.argv.slice(2).map((path) => resolve(path));
const python = await loadPyodide({ env: { HOME: "/", PYTHONHASHSEED: "0" } });
for (const [mount, root] of Object.entries({ "/var/task": folder, "/target": dirname(target) })) {
  python.FS.mkdirTree(mount);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, mount);
}
python.globals.set("name", basename(target));
python.runPython(`
import compileall, py_compile, zipfile
from pathlib import Path

task = Path("/var/task")
if not compileall.compile_dir(task, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH):
    raise SystemExit("a module does not compile")
with zipfile.ZipFile(Path("/target", name), "w") as archive:
    for path in sorted(path for path in task.rglob("*") if path.is_file()):
        # The first moment that a zip can name, and rights that do not depend on a umask.
        entry = zipfile.ZipInfo(path.relative_to(task).as_posix(), (1980, 1, 1, 0, 0, 0))
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
`);
