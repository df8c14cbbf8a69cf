import type { AddressInfo } from 'node:net'
import { banner } from './banner.js'
import { type DemoConfig, readConfig, SetupError } from './config.js'
import { prepareDemo } from './prepare.js'

/** Maximum wait for pending requests at shutdown, in milliseconds. */
const stopWithinMs = 10_000
/** In milliseconds. Signals within this time are one Ctrl-C, sent by both the terminal and npm. */
const sameSignalMs = 1000
/** How often to check whether npm is still running, in milliseconds. */
const parentEveryMs = 500

function setupProblem(error: unknown, config: DemoConfig | undefined): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE')
    return `Port ${config?.port} is taken. Choose another one: PORT=${(config?.port ?? 0) + 1} npm start`
  if (code === 'EACCES' && config && config.port < 1024)
    return `Port ${config.port} needs more rights. Choose one above 1023.`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return `HOST=${config?.host} is no address of this machine.`
  return message
}

async function start(config: DemoConfig): Promise<void> {
  const has = (flag: string) => process.argv.includes(flag)
  const demo = await prepareDemo(config, { postgres: has('--postgres'), oidc: has('--oidc') })
  const { app } = demo

  let stoppingSinceMs: number | undefined
  const stop = async (reason: string): Promise<void> => {
    if (stoppingSinceMs !== undefined) {
      // A second signal skips the wait.
      if (Date.now() - stoppingSinceMs > sameSignalMs) process.exit(1)
      return
    }
    stoppingSinceMs = Date.now()
    app.log.info(`${reason}: finishing what is under way`)
    setTimeout(() => process.exit(1), stopWithinMs).unref()
    await demo.close()
    app.log.info('stopped')
  }
  // Before the URL is printed, because a signal may follow at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop)
  // SIGTERM ends npm and its shell, which doesn't forward it. The demo would keep the port.
  const parent = process.ppid
  if (['start', 'demo:oidc'].includes(process.env.npm_lifecycle_event ?? '')) {
    const watch = setInterval(() => {
      if (process.ppid === parent || stoppingSinceMs !== undefined) return
      clearInterval(watch)
      void stop('npm has ended')
    }, parentEveryMs)
    watch.unref()
  }

  try {
    await app.listen({
      host: config.host,
      port: demo.port,
      listenTextResolver: (address) => `listening at ${address}`,
    })
  } catch (error) {
    await demo.close()
    throw error
  }
  process.stdout.write(
    banner(config, {
      port: (app.server.address() as AddressInfo).port,
      database: demo.database,
      providerUrl: demo.providerUrl,
    }),
  )
}

let config: DemoConfig | undefined
try {
  config = readConfig(process.env)
  await start(config)
} catch (error) {
  const expected =
    error instanceof SetupError || typeof (error as { code?: unknown }).code === 'string'
  console.error(expected ? `\n  The demo cannot start: ${setupProblem(error, config)}\n` : error)
  process.exitCode = 1
}
