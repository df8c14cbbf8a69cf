import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** A file of the front end, as the browser gets it. */
export interface Asset {
  readonly url: string
  readonly type: string
  readonly content: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const pages = ['home', 'link', 'reset', 'mailbox', 'requests']
/** Of the pages, and of Swagger UI. */
const styles = ['style', 'docs']

/**
 * Bundles the scripts and the style sheet, at each start: there is nothing to build beforehand.
 * Your app leaves out `alias`, because it has the package installed.
 */
export async function bundleFrontEnd(): Promise<readonly Asset[]> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [
      ...pages.map((name) => `examples/demo/front-end/scripts/${name}.js`),
      ...styles.map((name) => `examples/demo/front-end/styles/${name}.css`),
    ],
    entryNames: '[name]',
    chunkNames: 'shared-[hash]',
    alias: { 'fastify-crudauth/client': './src/client/index.ts' },
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'es2022',
    outdir: 'assets',
    write: false,
    logLevel: 'silent',
  })
  return outputFiles.map(({ path, text }) => ({
    url: `/assets/${path.replace(/^.*[\\/]/, '')}`,
    type: `text/${path.endsWith('.css') ? 'css' : 'javascript'}; charset=utf-8`,
    content: text,
  }))
}
