import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  onFreePorts,
  prepareFolder,
  type RunningServer,
  type ServerCommand,
  serverFolder,
  startServer,
} from './process.js'
import { programs, requireProgram, unprivilegedAccount } from './programs.js'

/** A private PostgreSQL on 127.0.0.1. The user of `url` is a superuser and may create databases. */
export interface PostgresServer extends RunningServer {
  url: string
  port: number
  /** Shuts it down, and starts it again with its data after `downMs`. */
  restart(downMs: number): Promise<void>
}

/**
 * Starts a private PostgreSQL. For speed, it is configured to lose data in a crash.
 * @throws Error with the end of its log
 */
export async function startPostgres(parent: string): Promise<PostgresServer> {
  const programFolder = dirname(requireProgram(programs.postgres))
  const program = join(programFolder, 'postgres')
  if (!existsSync(program))
    throw new Error(`there is initdb in ${programFolder}, but no postgres beside it`)
  return onFreePorts(1, async ([port = 0]) => {
    const account = unprivilegedAccount('postgres')
    const folder = serverFolder(parent, 'postgres', account)
    const data = join(folder, 'data')
    const initdb = [
      '-D',
      data,
      '-U',
      'test',
      '--auth=trust',
      '--encoding=UTF8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ]
    await prepareFolder(join(programFolder, 'initdb'), initdb, folder, account)
    const settings = {
      listen_addresses: '127.0.0.1',
      port: String(port),
      // No socket: its path in a temporary folder may exceed the length limit.
      unix_socket_directories: '',
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      autovacuum: 'off',
      max_connections: '500',
    }
    const command: ServerCommand = {
      name: `PostgreSQL on port ${port}`,
      program,
      args: [
        '-D',
        data,
        ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      folder,
      account,
      ready: /database system is ready to accept connections/,
      // "Fast shutdown": ends the clients' sessions instead of waiting for them.
      stopSignal: 'SIGINT',
    }
    let server = await startServer(command)
    const restart = async (downMs: number): Promise<void> => {
      await server.stop({ keepFolder: true })
      await delay(downMs)
      server = await startServer(command)
    }
    return {
      get pid() {
        return server.pid
      },
      isAlive: () => server.isAlive(),
      stop: () => server.stop(),
      kill: () => server.kill(),
      pause: () => server.pause(),
      resume: () => server.resume(),
      restart,
      port,
      url: `postgres://test@127.0.0.1:${port}/postgres`,
    }
  })
}
