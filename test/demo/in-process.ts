import type { TestContext } from 'node:test'
import { moduleUrl } from '../helpers/child.js'
import { temporaryFolder } from './start.js'

/** A demo in the process of the test. Starting one is much cheaper than a process. */
export interface HostedDemo {
  /** Without a trailing slash. */
  readonly url: string
  stop(): Promise<void>
}

/**
 * Starts the demo with an empty database, for tests of its pages. Tests of the process itself, of
 * its output and its signals use `startDemo`.
 * @param env environment variables of the demo
 * @param own what it starts in addition
 */
export async function hostDemo(
  t: TestContext,
  env: Record<string, string> = {},
  own: { readonly oidc?: boolean } = {},
): Promise<HostedDemo> {
  // Compiled where the runner compiles: loading it is most of the work then.
  const { openDemo }: typeof import('../../examples/demo/open.js') = await import(
    moduleUrl('examples/demo/open.ts')
  )
  const { readConfig }: typeof import('../../examples/demo/config.js') = await import(
    moduleUrl('examples/demo/config.ts')
  )
  const config = readConfig({
    DEMO_FOLDER: temporaryFolder(t),
    PORT: '0',
    LOG_LEVEL: 'silent',
    ...env,
  })
  const demo = await openDemo(config, { postgres: false, oidc: own.oidc === true })
  let stopped: Promise<void> | undefined
  const stop = () => {
    // The browser still has some.
    demo.app.server.closeAllConnections()
    stopped ??= demo.close()
    return stopped
  }
  t.after(stop)
  await demo.app.listen({ host: config.host, port: demo.port })
  return { url: `http://localhost:${demo.port}`, stop }
}
