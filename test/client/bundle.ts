import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { root } from '../../scripts/source-graph.js'
import { sourcePaths } from '../docs/compile.js'
import { type Block, blocksOf, page } from '../docs/documents.js'

async function bundle(options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    ...options,
    write: false,
  })
  return outputFiles?.[0]?.text ?? ''
}

/** The client as a bundler for browsers makes it, as one ES module. */
export const bundleClient = (): Promise<string> =>
  bundle({ entryPoints: [join(root, 'src/client/index.ts')] })

/**
 * Bundles a script of the documentation with the client.
 * @param packages name of an import to its code, for packages that aren't installed
 */
export function bundleScript(
  code: string,
  packages: Readonly<Record<string, string>> = {},
): Promise<string> {
  const alias = Object.fromEntries(
    Object.entries(sourcePaths()).map(([name, [path = '']]) => [name, path]),
  )
  return bundle({
    stdin: { contents: code, resolveDir: root },
    alias,
    plugins: [
      {
        name: 'packages',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^[a-z]/ }, ({ path }) =>
            path in packages ? { path, namespace: 'given' } : undefined,
          )
          onLoad({ filter: /.*/, namespace: 'given' }, ({ path }) => ({
            contents: packages[path] ?? '',
            resolveDir: root,
          }))
        },
      },
    ],
  })
}

/** A block of the documentation, by its name. */
export function blockNamed(path: string, name: string): Block {
  const block = blocksOf(page(path)).find(({ marks }) => marks.name === name)
  if (!block) throw new Error(`${path} has no block "${name}"`)
  return block
}

/** An HTML block with its script bundled, as the front end's bundler would do it. */
export async function bundlePage(
  html: string,
  packages: Readonly<Record<string, string>> = {},
): Promise<string> {
  const script = /<script type="module">([\s\S]*?)<\/script>/
  const code = await bundleScript(script.exec(html)?.[1] ?? '', packages)
  return html.replace(script, () => `<script type="module">${code}</script>`)
}
