import { ConfigError } from '../errors.js'
import type { TestEnd } from './test-end.js'

/** A clock that a test moves. */
export interface TestClock {
  /**
   * Moves the clock forward.
   * @throws CRUDAUTH_CONFIG for anything but a number of at least 0
   */
  advance(seconds: number): void
}

/**
 * Lets a test move the time of this process, to end sessions, tokens, links and locks without
 * waiting. `Date` goes on as before, plus what was advanced; the clock is set back when the test
 * ends. Timers don't move. Nor does the clock of Redis, which measures one-time tokens, rate limits,
 * lockouts and the grace period of refresh tokens: use memory in such tests.
 * @example
 * const clock = testClock(t)
 * clock.advance(31 * 60)
 * assert.equal((await app.inject({ url: '/me', headers })).statusCode, 401)
 */
export function testClock(t: TestEnd): TestClock {
  const before = globalThis.Date
  let aheadMs = 0
  const now = () => before.now() + aheadMs
  const shifted = new Proxy(before, {
    get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
    construct: (target, given, made) =>
      Reflect.construct(target, given.length === 0 ? [now()] : given, made),
    apply: () => new shifted().toString(),
  })
  globalThis.Date = shifted
  t.after(() => {
    globalThis.Date = before
  })
  return {
    advance(seconds) {
      if (!Number.isFinite(seconds) || seconds < 0)
        throw new ConfigError(
          `advance() needs a number of seconds of at least 0, got ${String(seconds)}`,
        )
      aheadMs += seconds * 1000
    },
  }
}
