import type { FastifyInstance } from 'fastify'
import { UsageError } from '../usage.js'
import { checkCookies } from './cookies.js'
import { observeDatabases } from './databases.js'
import { loadApp } from './load.js'
import { checkPackages } from './packages.js'
import { checkProxy } from './proxy.js'
import { type Observed, observeRegistrations, type Registration } from './registrations.js'
import { createReport, type Report } from './report.js'
import { checkRequest } from './request.js'
import { checkSecrets } from './secrets.js'
import { checkServices } from './services.js'
import { within } from './within.js'

/** Reports an error of the app. Configuration errors have one finding per line. */
function addError(report: Report, error: unknown, when: string): void {
  const { code, message, name } = (error ?? {}) as Record<string, unknown>
  if (code === 'CRUDAUTH_CONFIG') {
    for (const line of String(message).split('\n')) report.add('fix', line)
    return
  }
  const what = typeof code === 'string' ? code : typeof name === 'string' ? name : 'Error'
  report.add('fix', `${when}: ${what}: ${String(message ?? error).split('\n')[0]}`)
}

async function start(report: Report, path: string): Promise<{ app: FastifyInstance | null }> {
  let app: FastifyInstance
  try {
    app = (await loadApp(path)).app
  } catch (error) {
    if (error instanceof UsageError) throw error
    addError(report, error, 'The app failed while it was loaded')
    return { app: null }
  }
  await within(60_000, 'ready()', async () => void (await app.ready())).then(
    () => report.add('ok', 'The app gets ready.'),
    (error) => addError(report, error, 'The app failed to get ready'),
  )
  return { app }
}

async function checkRegistration(
  report: Report,
  registration: Registration,
  url: URL | undefined,
): Promise<void> {
  checkSecrets(report, registration)
  checkCookies(report, registration, url, process.env.NODE_ENV === 'production')
  await checkServices(report, registration)
}

async function checkAll(
  report: Report,
  { registrations, warnings }: Observed,
  app: FastifyInstance | null,
  url: URL | undefined,
): Promise<void> {
  if (registrations.length === 0 && !report.mustFix)
    report.add(
      'fix',
      'The app does not register fastify-crudauth. Await app.register(crudAuth, { … }) before you export the app.',
    )
  let proxy: string | undefined
  for (const registration of registrations) {
    await checkRegistration(report, registration, url)
    if (url) proxy = (await checkRequest(report, registration, url)) ?? proxy
  }
  if (app) checkProxy(report, app, proxy)
  for (const warning of warnings) report.add('warn', warning)
}

/**
 * Loads an app, checks it, closes it and prints a report.
 * @param name of the file, as given
 * @returns the exit code
 * @throws UsageError if the file exports no app
 */
export async function examine(
  name: string,
  path: string,
  url: URL | undefined,
  print: (text: string) => void,
): Promise<number> {
  const report = createReport()
  const observed = observeRegistrations()
  const reportDatabases = await observeDatabases(path)
  const keep = (error: unknown) =>
    addError(report, error, 'An error outside of a request would have ended the process')
  process.on('uncaughtException', keep)
  process.on('unhandledRejection', keep)
  const { app } = await start(report, path)
  await checkAll(report, observed, app, url)
  await reportDatabases(report)
  checkPackages(report, path)
  if (app)
    await within(10_000, 'close()', async () => void (await app.close())).catch((error) =>
      addError(report, error, 'The app failed to close'),
    )
  print(report.text(`fastify-crudauth doctor ${name}`))
  return report.mustFix ? 1 : 0
}
