import { checkAnswers, checkResult } from '../lib/check.js'
import { startAutocannon } from '../lib/load.js'
import { atLeast, atMost, once } from '../lib/report.js'
import { interleaved, measureOnce, type Rounds } from '../lib/rounds.js'
import type { Scenario } from '../lib/run-context.js'
import { startBenchServer } from '../lib/server-process.js'
import { ratios, spread } from '../lib/statistics.js'

const floodClients = 8

/** Logins compared with the machine's maximum, and how a flood of logins affects other requests. */
export const logins: Scenario = async (context) => {
  const { machine, plan, folder, load } = context
  const redis = await context.startRedis()
  const start = async (name: string, file: string) => {
    const options = {
      file,
      folder,
      redisUrl: redis.url,
      users: plan.users,
      active: plan.users,
      signIns: plan.users,
    }
    const server = await startBenchServer(machine, name, options)
    context.defer(() => server.stop())
    await checkAnswers(server, 'login')
    return server
  }
  const raw = await start('raw argon2id', 'raw-argon2')
  const ours = await start('ours, logins', 'ours-redis')
  await checkAnswers(ours, 'me')

  const times = {
    rounds: plan.quick ? 2 : plan.rounds,
    seconds: plan.quick ? 1.5 : plan.seconds,
    warmUpSeconds: 1,
  }
  const measured = await interleaved(load, [raw, ours], 'login', times, floodClients)
  const [rawRounds, ourRounds] = [measured.get(raw) as Rounds, measured.get(ours) as Rounds]
  const ratio = ratios(ourRounds.perSecond, rawRounds.perSecond)
  const byCpu = ratios(ourRounds.perCpuSecond, rawRounds.perCpuSecond)

  const flooding = startAutocannon(machine)
  context.defer(() => flooding.stop())
  const quiet: { perSecond: number; p99Ms: number }[] = []
  const flooded: { perSecond: number; p99Ms: number }[] = []
  const floodLogins: number[] = []
  const statuses: Record<string, number> = {}
  await measureOnce(load, ours, 'me', plan.warmUpSeconds)
  for (let round = 0; round < times.rounds; round++) {
    quiet.push(await measureOnce(load, ours, 'me', times.seconds))
    const flood = flooding.run({
      url: ours.url,
      connections: floodClients,
      seconds: times.seconds + 1,
      cases: ours.cases.login ?? [],
    })
    await new Promise((resolve) => setTimeout(resolve, 500))
    flooded.push(await measureOnce(load, ours, 'me', times.seconds))
    const result = await flood
    checkResult(ours.name, result, ['200', '503'])
    floodLogins.push(result.requests / result.seconds)
    for (const [status, count] of Object.entries(result.statuses))
      statuses[status] = (statuses[status] ?? 0) + count
  }
  const of = (list: typeof quiet, name: keyof (typeof quiet)[number]) =>
    list.map((item) => item[name])
  const throughput = ratios(of(flooded, 'perSecond'), of(quiet, 'perSecond'))
  const p99 = ratios(of(flooded, 'p99Ms'), of(quiet, 'p99Ms'))
  const failures = Object.entries(statuses).reduce(
    (sum, [status, count]) => sum + (status.startsWith('5') ? count : 0),
    0,
  )

  return {
    title: 'Logins',
    about: `POST /login by ${floodClients} clients without pause, argon2id with 19456 KiB and 2 passes on the server's core; lockout on, each client behind an address of its own. Then the same flood beside 50 connections of session requests.`,
    figures: [
      {
        name: 'ours, of raw argon2id verifies',
        unit: '×',
        value: ratio,
        target: atLeast(ratio, 0.95),
      },
      {
        name: 'ours, of raw argon2id verifies',
        note: 'per second of processor time',
        unit: '×',
        value: byCpu,
      },
      { name: 'raw argon2id', unit: 'verifies/s', value: spread(rawRounds.perSecond) },
      { name: 'ours', unit: 'logins/s', value: spread(ourRounds.perSecond) },
      {
        name: 'session requests in a login flood, of quiet',
        unit: '×',
        value: throughput,
        target: atLeast(throughput, 0.5),
      },
      {
        name: 'their p99 in a login flood, of quiet',
        unit: '×',
        value: p99,
        target: atMost(p99, 5),
      },
      {
        name: 'session requests, quiet',
        unit: 'requests/s',
        value: spread(of(quiet, 'perSecond')),
      },
      {
        name: 'session requests, flooded',
        unit: 'requests/s',
        value: spread(of(flooded, 'perSecond')),
      },
      { name: 'p99 quiet', unit: 'ms', value: spread(of(quiet, 'p99Ms')) },
      { name: 'p99 flooded', unit: 'ms', value: spread(of(flooded, 'p99Ms')) },
      { name: 'logins in the flood', unit: 'logins/s', value: spread(floodLogins) },
      { name: 'logins answered 503', unit: '', value: once(failures) },
    ],
  }
}
