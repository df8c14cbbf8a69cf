import { setTimeout as delay } from 'node:timers/promises'
import { checkResult } from '../lib/check.js'
import { type Load, startAutocannon } from '../lib/load.js'
import type { Role } from '../lib/machine.js'
import { atLeast, atMost, type Figure, once } from '../lib/report.js'
import { measureOnce } from '../lib/rounds.js'
import type { RunContext, Scenario } from '../lib/run-context.js'
import type { BenchServer } from '../lib/server-process.js'
import { ratios, spread } from '../lib/statistics.js'

const clients = 8

/** Session requests in one round, first alone and then beside logins without pause. */
async function oneRound(load: Load, flooding: Load, server: BenchServer, seconds: number) {
  const quiet = await measureOnce(load, server, 'me', seconds)
  const logins = flooding.run({
    url: server.url,
    connections: clients,
    seconds: seconds + 1,
    cases: server.cases.login ?? [],
  })
  await delay(500)
  const flooded = await measureOnce(load, server, 'me', seconds)
  const result = await logins
  checkResult(server.name, result, ['200', '503'])
  return {
    quiet,
    flooded,
    loginsPerSecond: result.requests / result.seconds,
    refused: result.statuses['503'] ?? 0,
  }
}

async function floodOn(
  on: Role,
  label: string,
  floor: number,
  context: RunContext,
  flooding: Load,
): Promise<Figure[]> {
  const { plan, load } = context
  const { url: redisUrl } = await context.startRedis()
  const postgresUrl = await context.createDatabase()
  const options = { file: 'ours-session', on, redisUrl, postgresUrl, signIns: plan.users }
  const server = await context.startServer(`ours, ${label}`, options, 'me', 'login')
  await measureOnce(load, server, 'me', plan.warmUpSeconds)
  const rounds: Awaited<ReturnType<typeof oneRound>>[] = []
  for (let round = 0; round < (plan.quick ? 2 : plan.rounds); round++)
    rounds.push(await oneRound(load, flooding, server, plan.quick ? 1 : plan.seconds))
  const of = (when: 'quiet' | 'flooded', what: 'perSecond' | 'p99Ms') =>
    rounds.map((round) => round[when][what])
  const throughput = ratios(of('flooded', 'perSecond'), of('quiet', 'perSecond'))
  const p99 = ratios(of('flooded', 'p99Ms'), of('quiet', 'p99Ms'))
  return [
    {
      name: `${label}: requests in a flood, of quiet`,
      unit: '×',
      value: throughput,
      target: atLeast(throughput, floor),
    },
    {
      name: `${label}: p99 in a flood, of quiet`,
      unit: '×',
      value: p99,
      target: atMost(p99, 5),
    },
    {
      name: `${label}: quiet`,
      unit: 'requests/s',
      value: spread(of('quiet', 'perSecond')),
    },
    { name: `${label}: p99, quiet`, unit: 'ms', value: spread(of('quiet', 'p99Ms')) },
    { name: `${label}: p99, flooded`, unit: 'ms', value: spread(of('flooded', 'p99Ms')) },
    {
      name: `${label}: logins in the flood`,
      unit: 'logins/s',
      value: spread(rounds.map((round) => round.loginsPerSecond)),
    },
    {
      name: `${label}: logins answered 503`,
      unit: '',
      value: once(rounds.reduce((sum, round) => sum + round.refused, 0)),
    },
  ]
}

/** How a flood of logins affects the other requests of a process. */
export const flood: Scenario = async (context) => {
  const flooding = startAutocannon(context.machine)
  context.defer(() => flooding.stop())
  return {
    title: 'A flood of logins',
    about: `GET /me over 50 connections with PostgreSQL and Redis, alone and while ${clients} clients post logins without pause. Wall-clock figures: hashing shares the processor time of the server, which is the point. Where the machine has two cores, "two cores" includes the load, Redis and PostgreSQL.`,
    figures: [
      ...(await floodOn('server', 'one core', 0.45, context, flooding)),
      ...(await floodOn('two-cores', 'two cores', 0.8, context, flooding)),
    ],
  }
}
