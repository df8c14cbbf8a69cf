import { existsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  onFreePorts,
  prepareFolder,
  type RunningServer,
  serverFolder,
  startServer,
} from './process.js'
import { findProgram, programs, requireProgram, unprivilegedAccount } from './programs.js'

/** A private MariaDB on 127.0.0.1. The user of `url` may create databases. */
export interface MariadbServer extends RunningServer {
  url: string
  port: number
}

const setup = `
CREATE DATABASE test CHARACTER SET utf8mb4;
CREATE USER test@'127.0.0.1' IDENTIFIED BY 'test';
CREATE USER test@localhost IDENTIFIED BY 'test';
GRANT ALL ON *.* TO test@'127.0.0.1';
GRANT ALL ON *.* TO test@localhost;
`

/**
 * Starts a private MariaDB. For speed, it is configured to lose data in a crash.
 * @throws Error with the end of its log
 */
export async function startMariadb(parent: string): Promise<MariadbServer> {
  const program = requireProgram(programs.mariadb)
  const installer = findInstaller(program)
  return onFreePorts(1, async ([port = 0]) => {
    const account = unprivilegedAccount('mysql')
    const folder = serverFolder(parent, 'mariadb', account)
    const data = join(folder, 'data')
    const install = [
      '--no-defaults',
      `--datadir=${data}`,
      '--skip-test-db',
      '--auth-root-authentication-method=normal',
    ]
    await prepareFolder(installer, install, folder, account)
    const setupPath = join(folder, 'setup.sql')
    writeFileSync(setupPath, setup)
    const settings = {
      datadir: data,
      'bind-address': '127.0.0.1',
      port: String(port),
      // Relative to the data folder, because an absolute path may exceed the limit for sockets.
      socket: 'server.sock',
      'pid-file': join(folder, 'server.pid'),
      'init-file': setupPath,
      'character-set-server': 'utf8mb4',
      'innodb-flush-log-at-trx-commit': '0',
      'innodb-flush-method': 'nosync',
      'innodb-buffer-pool-size': '32M',
      'sync-binlog': '0',
      'max-connections': '1000',
    }
    const server = await startServer({
      name: `MariaDB on port ${port}`,
      program,
      args: [
        '--no-defaults',
        '--skip-name-resolve',
        ...Object.entries(settings).map(([name, value]) => `--${name}=${value}`),
      ],
      folder,
      account,
      ready: /ready for connections/,
    })
    return { ...server, port, url: `mysql://test:test@127.0.0.1:${port}/test` }
  })
}

/** Finds the installer of this server. Debian has it in bin and the server in sbin. */
function findInstaller(program: string): string {
  const installer = { ...programs.mariadb, names: ['mariadb-install-db', 'mysql_install_db'] }
  const beside = join(dirname(program), '..', 'bin', 'mariadb-install-db')
  return existsSync(beside) ? beside : (findProgram(installer) ?? requireProgram(installer))
}
