import type { Server } from 'node:http'
import type { TestContext } from 'node:test'
import { moduleUrl } from '../helpers/child.js'
import { onFreePort, temporaryFolder } from './start.js'

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
export const hostDemo = (...given: Parameters<typeof hostOnce>): Promise<HostedDemo> =>
  onFreePort(() => hostOnce(...given))

async function hostOnce(
  t: TestContext,
  env: Record<string, string> = {},
  own: { readonly oidc?: boolean } = {},
): Promise<HostedDemo> {
  // Compiled where the runner compiles: loading it is most of the work then.
  const { prepareDemo }: typeof import('../../examples/demo/prepare.js') = await import(
    moduleUrl('examples/demo/prepare.ts')
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
  const demo = await prepareDemo(config, { postgres: false, oidc: own.oidc === true })
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= closing(demo.app.server, demo.close())
    return stopped
  }
  t.after(stop)
  await demo.app.listen({ host: config.host, port: demo.port }).catch(async (error) => {
    await stop()
    throw error
  })
  return { url: `http://localhost:${demo.port}`, stop }
}

/**
 * Waits for the end of a server. Browsers open connections ahead of requests. Node doesn't count
 * them as idle, and would wait for them.
 */
async function closing(server: Server, end: Promise<void>): Promise<void> {
  const disconnect = setInterval(() => server.closeAllConnections(), 50)
  await end.finally(() => clearInterval(disconnect))
}
