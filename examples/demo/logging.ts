import {
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  LogController,
} from 'fastify'
import pretty from 'pino-pretty'

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? request.url

/** Logs one line per request, without the query, because links have one-time tokens there. */
class OneLineLogs extends LogController {
  override incomingRequest(): void {}

  override routeNotFound(): void {}

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    const line = `${request.method} ${pathOf(request)} ${reply.statusCode} in ${reply.elapsedTime.toFixed(1)} ms`
    if (error) reply.log.error({ err: error }, line)
    else reply.log.info(line)
  }

  /** The response tells the client what is wrong, so the log needs only the error code. */
  override defaultErrorLog(
    error: Error & { code?: string },
    _request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    if (reply.statusCode >= 500) reply.log.error({ err: error }, error.message)
    else reply.log.info(`refused: ${error.code ?? error.name}`)
  }
}

/** Values that are never logged, even by mistake or by another plugin. */
const redact = {
  paths: [
    'password',
    'hashed_password',
    'current_password',
    'new_password',
    'secret',
    'token',
    'csrf_token',
    'link',
  ]
    .flatMap((name) => [name, `*.${name}`, `*.*.${name}`])
    .concat(
      ['cookie', 'authorization', '["x-csrf-token"]', '["set-cookie"]'].flatMap((name) => {
        const path = name.startsWith('[') ? `headers${name}` : `headers.${name}`
        return [path, `*.${path}`]
      }),
    ),
  censor: '[redacted]',
}

/**
 * Log options for a terminal. Writes synchronously, so that no line is lost when the process ends.
 * @param destination default: standard output
 */
export function logging(
  level: string,
  destination: NodeJS.WritableStream | number = 1,
): Pick<FastifyServerOptions, 'logger' | 'logController'> {
  const stream = pretty({
    colorize: process.stdout.isTTY === true && !process.env.NO_COLOR,
    ignore: 'pid,hostname,reqId',
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    sync: true,
    destination,
  })
  return { logger: { level, redact, stream }, logController: new OneLineLogs() }
}
