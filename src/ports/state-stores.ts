import type { CounterStore } from './counter-store.js'
import type { OneTimeStore } from './one-time-store.js'
import type { SessionStore } from './session-store.js'

/** What the plugin tells a state backend at registration. */
export interface StateContext {
  /** `timeouts.stateMs`: after it the plugin gives a call up and answers with 503. */
  readonly timeoutMs: number
  /** Logs a message, as an error if there is a cause. */
  log(message: string, cause?: Error): void
}

/**
 * The stores of shared state, for the option `state`. Whatever a method throws or rejects with is
 * an outage: 503, and logged.
 */
export interface StateStores {
  readonly sessions: SessionStore
  readonly oneTime: OneTimeStore
  readonly counters: CounterStore
  /**
   * Begins background work, without waiting for the backend. Called at registration. Returns a
   * function that ends the work, called when the app closes.
   */
  start?(context: StateContext): () => unknown
  /**
   * Verifies the backend before the app listens. Rejects with a `CRUDAUTH_CONFIG` error to stop the
   * start; any other error is logged as a warning.
   */
  verify?(): Promise<void>
}

/** The methods of each store. */
export const STATE_METHODS: {
  readonly [Kind in 'sessions' | 'oneTime' | 'counters']: readonly (keyof StateStores[Kind])[]
} = {
  sessions: ['create', 'read', 'readTimed', 'update', 'list', 'revoke', 'revokeAll'],
  oneTime: ['put', 'peek', 'take', 'revokeGroup'],
  counters: ['hit', 'attempt', 'forgive', 'giveBack'],
}
