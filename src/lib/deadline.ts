/** What was awaited took longer than it may. */
class DeadlineError extends Error {
  readonly code = 'CRUDAUTH_DEADLINE'

  constructor(what: string, milliseconds: number) {
    super(`${what} did not answer within ${milliseconds} ms`)
    this.name = 'DeadlineError'
  }
}

/** One wait under way, between those that began before and after it. */
interface Wait {
  readonly endsAtMs: number
  readonly expire: () => void
  previous: Wait | null
  next: Wait | null
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
 * Waits of one length end in the order in which they began, so one timer serves them all, and a list from the first to the
 * last. A timer for each would be set and cleared several times in every request, which costs more there than hashing does.
 */
export function createDeadline(milliseconds: number): Deadline {
  let first: Wait | null = null
  let last: Wait | null = null
  let timer: NodeJS.Timeout | undefined

  const remove = (wait: Wait): boolean => {
    const { previous, next } = wait
    if (previous === null && first !== wait) return false
    if (previous) previous.next = next
    else first = next
    if (next) next.previous = previous
    else last = previous
    wait.previous = null
    wait.next = null
    return true
  }

  const expireDue = () => {
    timer = undefined
    const now = performance.now()
    for (let wait = first; wait; wait = first) {
      if (wait.endsAtMs > now) {
        timer = setTimeout(expireDue, Math.ceil(wait.endsAtMs - now))
        return
      }
      remove(wait)
      wait.expire()
    }
  }

  return {
    milliseconds,
    begin(expire) {
      const wait: Wait = {
        endsAtMs: performance.now() + milliseconds,
        expire,
        previous: last,
        next: null,
      }
      if (last) last.next = wait
      else first = wait
      last = wait
      if (!timer) timer = setTimeout(expireDue, milliseconds)
      else if (first === wait) timer.ref()
      return wait
    },
    end(wait) {
      // Left to run, so that the next wait need not set one; but it keeps no process alive.
      if (remove(wait) && first === null) timer?.unref()
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
    const wait = deadline.begin(() =>
      reject(failure(new DeadlineError(what, deadline.milliseconds))),
    )
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
