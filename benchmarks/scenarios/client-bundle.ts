import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { atMost, once } from '../lib/report.js'
import type { Scenario } from '../lib/run-context.js'

/** What the client adds to a page. */
export const clientBundle: Scenario = async ({ packageFolder }) => {
  const { outputFiles } = await build({
    entryPoints: [join(packageFolder, 'src/client/index.js')],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  })
  const code = outputFiles[0]?.contents ?? new Uint8Array()
  const compressed = once(gzipSync(code, { level: 9 }).length / 1024)
  return {
    title: 'Client bundle',
    about: 'All exports of fastify-crudauth/client, bundled and minified by esbuild.',
    figures: [
      { name: 'gzip', unit: 'KiB', value: compressed, target: atMost(compressed, 4) },
      { name: 'minified', unit: 'KiB', value: once(code.length / 1024) },
    ],
  }
}
