import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { freePort, frontendUrl } from './address.js'
import { buildApp } from './app.js'
import { banner } from './banner.js'
import { type DemoConfig, readConfig, SetupError } from './config.js'
import { openDatabase } from './database.js'
import { keptSecret } from './secret.js'

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

/** With `--oidc`, starts a local provider. */
async function startProvider(config: DemoConfig) {
  if (!process.argv.includes('--oidc')) return undefined
  // Loaded only if needed, because the import is slow.
  const { startLocalProvider } = await import('./provider.js')
  return startLocalProvider(frontendUrl(config))
}

async function start(config: DemoConfig): Promise<void> {
  mkdirSync(config.folder, { recursive: true, mode: 0o700 })
  const secrets = {
    secret: config.secret ?? keptSecret(config.folder, 'secret'),
    mfaKey: config.mfaKey ?? keptSecret(config.folder, 'mfa-key'),
  }
  const port = config.port === 0 ? await freePort(config.host) : config.port
  const database = await openDatabase(config, process.argv.includes('--postgres'))
  const provider = await startProvider({ ...config, port })
  const close = () => Promise.all([database.close(), provider?.stop()])
  const app = await buildApp(
    { ...config, port },
    secrets,
    database.db,
    provider && [provider.provider],
  ).catch(async (error) => {
    await close()
    throw error
  })
  /** Closes the app before the database, which the app uses until its end. */
  const closeAll = async () => {
    await app.close()
    await close()
  }

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
    await closeAll()
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
      port,
      listenTextResolver: (address) => `listening at ${address}`,
    })
  } catch (error) {
    await closeAll()
    throw error
  }
  process.stdout.write(
    banner(config, {
      port: (app.server.address() as AddressInfo).port,
      database: database.description,
      providerUrl: provider?.url,
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
