import type { RedisServer } from '../../scripts/services/redis.js'
import type { Load } from './load.js'
import type { Machine } from './machine.js'
import type { Section } from './report.js'

/** Duration and size of a full or quick run. */
export interface Plan {
  readonly quick: boolean
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly users: number
}

export interface RunContext {
  readonly machine: Machine
  readonly plan: Plan
  /** A temporary folder for the run. */
  readonly folder: string
  /** The folder of the package built for this run. */
  readonly packageFolder: string
  readonly load: Load
  /** Starts a private Redis on the core of the load generator. */
  startRedis(): Promise<RedisServer>
  /** Calls `stop` when the scenario ends, even if it fails. */
  defer(stop: () => Promise<unknown>): void
}

export type Scenario = (context: RunContext) => Promise<Section>

export const connections = 50
