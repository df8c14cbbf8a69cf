/**
 * An email was not accepted. The message doesn't contain the server's text: servers repeat
 * addresses and login names.
 */
export class SmtpError extends Error {
  readonly code: string
  /** Reply code of the server, such as 550. */
  readonly responseCode: number | undefined
  /** Whether a retry is pointless: the server refused this recipient or message. */
  readonly permanent: boolean

  constructor(message: string, code: string, responseCode?: number, permanent = false) {
    super(message)
    this.name = 'SmtpError'
    this.code = code
    this.responseCode = responseCode
    this.permanent = permanent
  }
}

/** A connection pool of nodemailer. */
export interface SmtpTransport {
  sendMail(message: object): Promise<unknown>
  close(options?: { force: boolean }): void
}

interface Pool {
  readonly transport: SmtpTransport
  /** Number of messages being sent. */
  active: number
  retired: boolean
}

/**
 * Sends messages through a pool, which it replaces when a message takes too long. Nodemailer closes
 * a silent connection, but not one that is busy forever. The old pool gets no more messages, and is
 * closed by force when its other messages are done.
 * @param milliseconds time limit for one message
 */
export function createPool(connect: () => SmtpTransport, milliseconds: number) {
  const begin = (): Pool => ({ transport: connect(), active: 0, retired: false })
  let current = begin()
  const open = new Set([current])
  let closed = false

  const end = (pool: Pool) => {
    open.delete(pool)
    pool.transport.close({ force: true })
  }
  const retire = (pool: Pool) => {
    pool.retired = true
    if (pool !== current || closed) return
    current = begin()
    open.add(current)
  }

  return {
    /** @throws SmtpError after the time limit or `close()`; errors of nodemailer */
    async send(message: object): Promise<void> {
      // In nodemailer 8, sending through a closed pool never settles.
      if (closed) throw new SmtpError('The sender is closed', 'ECLOSED')
      const pool = current
      pool.active++
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          retire(pool)
          reject(
            new SmtpError(
              `The mail server was not finished within ${milliseconds} ms`,
              'ETIMEDOUT',
            ),
          )
        }, milliseconds).unref()
      })
      try {
        await Promise.race([pool.transport.sendMail(message), late])
      } finally {
        clearTimeout(timer)
        pool.active--
        if (pool.retired && pool.active === 0 && open.has(pool)) end(pool)
      }
    },

    close(): void {
      closed = true
      // The messages still being sent have had their time.
      for (const pool of open) end(pool)
    },
  }
}
