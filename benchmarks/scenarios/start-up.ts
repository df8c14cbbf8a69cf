import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { atMost } from '../lib/report.js'
import type { Scenario } from '../lib/run-context.js'
import { spread } from '../lib/statistics.js'

const probe = fileURLToPath(new URL('../probes/start-up.mjs', import.meta.url))

interface Probed {
  readonly fastifyMs: number
  readonly packageMs: number
  readonly bareReadyMs: number
  readonly readyMs: number
}

/** Start-up time that the package adds to an app. Each run is a new process without a loader. */
export const startUp: Scenario = async ({ machine, plan, packageFolder }) => {
  const runs: Probed[] = []
  for (let run = 0; run < (plan.quick ? 5 : 15); run++) {
    const [program = '', ...args] = machine.pinned('server', [
      process.execPath,
      probe,
      packageFolder,
    ])
    runs.push(JSON.parse(execFileSync(program, args, { encoding: 'utf8' })) as Probed)
  }
  const imported = spread(runs.map((run) => run.packageMs))
  const ready = spread(runs.map((run) => run.readyMs - run.bareReadyMs))
  return {
    title: 'Start-up',
    about: `${runs.length} fresh processes; an app with one route of its own, with and without the plugin over memory state and memory users; one argon2id hash included.`,
    figures: [
      {
        name: "import of the package, over Fastify's own",
        unit: 'ms',
        value: imported,
        target: atMost(imported, 250),
      },
      {
        name: 'app.ready() with the plugin, over without',
        unit: 'ms',
        value: ready,
        target: atMost(ready, 200),
      },
      { name: "Fastify's own import", unit: 'ms', value: spread(runs.map((run) => run.fastifyMs)) },
    ],
  }
}
