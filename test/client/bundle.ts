import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { root } from '../../scripts/source-graph.js'

/** The client as a bundler for browsers makes it, as one ES module. */
export async function bundleClient(options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'src/client/index.ts')],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    ...options,
    write: false,
  })
  return outputFiles[0]?.text ?? ''
}
