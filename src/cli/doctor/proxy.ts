import type { FastifyInstance } from 'fastify'
import type { Report } from './report.js'

/**
 * The `trustProxy` option of an app. Fastify doesn't show it, so this reads its private options.
 * @returns undefined if it is unknown
 */
function trustProxyOf(app: FastifyInstance): { value: unknown } | undefined {
  const key = Object.getOwnPropertySymbols(app).find(
    ({ description }) => description === 'fastify.options',
  )
  const options = key && (app as unknown as Record<symbol, { trustProxy?: unknown }>)[key]
  return options ? { value: options.trustProxy } : undefined
}

const cure = `Set it to the address of your proxy: Fastify({ trustProxy: ['10.0.0.0/8'] }).`

/** Checks how the app finds the addresses of its visitors. */
export function checkProxy(report: Report, app: FastifyInstance, proxy: string | undefined): void {
  const known = trustProxyOf(app)
  if (!known) return
  const { value } = known
  if (typeof value === 'number')
    report.add(
      'fix',
      `"trustProxy" is a number of hops, with which Fastify trusts no proxy since 5.12.1: all visitors share one address and lock each other out. ${cure}`,
    )
  else if (value === true)
    report.add(
      'warn',
      `"trustProxy" is true, so clients can choose the address that lockout and rate limits count. ${cure}`,
    )
  else if (proxy !== undefined && (value === undefined || value === false || value === ''))
    report.add(
      'fix',
      `"trustProxy" is not set, but a proxy is in front of the app (${proxy}): all visitors share its address and lock each other out. ${cure}`,
    )
  else if (proxy !== undefined) report.add('ok', `"trustProxy" is set, behind a proxy (${proxy}).`)
}
