/** What was awaited took longer than it may. */
class DeadlineError extends Error {
  readonly code = 'CRUDAUTH_DEADLINE'

  constructor(what: string, milliseconds: number) {
    super(`${what} did not answer within ${milliseconds} ms`)
    this.name = 'DeadlineError'
  }
}

/** One wait under way. */
interface Wait {
  readonly endsAtMs: number
  expire(): void
}

/** Waits that may all last equally long. */
export interface Deadline {
  readonly milliseconds: number
  /** Begins a wait; `expire` is called unless `end` is called in time. */
  begin(expire: () => void): Wait
  /** Ends a wait; for one that has expired or ended it does nothing. */
  end(wait: Wait): void
}

/**
 * Waits of one length end in the order in which they began, so one timer serves them all. A timer for each would be set and
 * cleared several times in every request, which costs more there than hashing does.
 */
export function createDeadline(milliseconds: number): Deadline {
  // In the order of their ends.
  const waits = new Set<Wait>()
  let timer: NodeJS.Timeout | undefined

  const expireDue = () => {
    timer = undefined
    const now = performance.now()
    for (const wait of waits) {
      if (wait.endsAtMs > now) {
        timer = setTimeout(expireDue, Math.ceil(wait.endsAtMs - now))
        return
      }
      waits.delete(wait)
      wait.expire()
    }
  }

  return {
    milliseconds,
    begin(expire) {
      const wait: Wait = { endsAtMs: performance.now() + milliseconds, expire }
      waits.add(wait)
      if (!timer) timer = setTimeout(expireDue, milliseconds)
      else if (waits.size === 1) timer.ref()
      return wait
    },
    end(wait) {
      // Left to run, so that the next wait need not set one; but it keeps no process alive.
      if (waits.delete(wait) && waits.size === 0) timer?.unref()
    },
  }
}

/**
 * What `start` promises, or what `failure` makes of its error, or of a `DeadlineError` when it takes too long. What comes
 * later is dropped, a late rejection too: nobody waits for it any more, and unhandled it would end the process.
 */
export function within<T>(
  deadline: Deadline,
  start: () => Promise<T>,
  what: string,
  failure: (cause: unknown) => unknown,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const wait = deadline.begin(() => reject(failure(new DeadlineError(what, deadline.milliseconds))))
    const succeeded = (value: T) => {
      deadline.end(wait)
      resolve(value)
    }
    const failed = (cause: unknown) => {
      deadline.end(wait)
      reject(failure(cause))
    }
    try {
      start().then(succeeded, failed)
    } catch (cause) {
      failed(cause)
    }
  })
}
