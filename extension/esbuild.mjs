// Bundles the widgets for the Python package; with --test the unit tests for `node --test`.
import { readdirSync } from 'node:fs';
import { build, context } from 'esbuild';

const widget = {
  entryPoints: { widget: 'src/widget/index.ts' },
  outdir: '../pkg/tapescope/static',
  bundle: true,
  format: 'esm',
  target: 'es2020',
  legalComments: 'none',
  logLevel: 'warning'
};

const tests = {
  entryPoints: readdirSync('test').filter(name => name.endsWith('.test.ts')).map(name => `test/${name}`),
  outdir: 'test-build',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  logLevel: 'warning'
};

if (process.argv.includes('--test')) {
  await build(tests);
} else if (process.argv.includes('--watch')) {
  await (await context(widget)).watch();
} else {
  await build({ ...widget, minify: true });
}
