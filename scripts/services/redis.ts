import { onFreePorts, type RunningServer, serverFolder, startServer } from './process.js'
import { programs, requireProgram } from './programs.js'

/** Options of {@link startRedis}. */
export interface RedisOptions {
  /** Default: a free port. Pass the port of a stopped server to restart it with no data. */
  port?: number
  /** Additional arguments for redis-server, such as `['--requirepass', 'x']`. */
  args?: string[]
}

/** A private Redis on 127.0.0.1 without persistence. */
export interface RedisServer extends RunningServer {
  url: string
  port: number
}

/** Starts a private Redis. @throws Error with the end of its log */
export async function startRedis(folder: string, options: RedisOptions = {}): Promise<RedisServer> {
  if (options.port !== undefined) return startOn(folder, options.port, options.args)
  return onFreePorts(1, ([port = 0]) => startOn(folder, port, options.args))
}

async function startOn(parent: string, port: number, args: string[] = []): Promise<RedisServer> {
  const program = requireProgram(programs.redis)
  const folder = serverFolder(parent, 'redis')
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    appendonly: 'no',
    daemonize: 'no',
    'enable-debug-command': 'local',
  }
  const server = await startServer({
    name: `Redis on port ${port}`,
    program,
    args: [...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]), ...args],
    folder,
    ready: /Ready to accept connections/,
  })
  return { ...server, port, url: `redis://127.0.0.1:${port}` }
}
