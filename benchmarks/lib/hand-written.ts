import { emailOf, type Me, usernameOf } from './me.js'
import { openSqlite, usersTable } from './sqlite.js'

export interface UserRow {
  readonly id: number
  readonly email: string
  readonly username: string
  readonly is_active: number
  readonly is_superuser: number
}

/** As long as the plugin's hashes, so that the rows of both cost the same to read. */
const storedHash = `$argon2id$v=19$m=19456,t=2,p=1$${'x'.repeat(22)}$${'x'.repeat(43)}`
const storedTime = '2026-01-01T00:00:00.000Z'

/** The users of the hand-written servers: bare prepared statements. */
export function handWrittenUsers(folder: string) {
  const database = openSqlite(folder)
  database.exec(usersTable)
  const insert = database.prepare(
    'insert into users (id, email, username, hashed_password, created_at, updated_at) values (?, ?, ?, ?, ?, ?)',
  )
  const select = database.prepare('select * from users where id = ? limit 1')
  return {
    find: (id: number) => select.get(id) as UserRow | undefined,

    /** Calls `make` in a transaction, with a function that adds user `index` as id `index + 1`. */
    async fill(make: (add: (index: number) => void) => Promise<void>): Promise<void> {
      database.exec('begin')
      await make(
        (index) =>
          void insert.run([
            index + 1,
            emailOf(index),
            usernameOf(index),
            storedHash,
            storedTime,
            storedTime,
          ]),
      )
      database.exec('commit')
    },
  }
}

export const meOf = (user: UserRow, via: string): Me => ({
  user_id: user.id,
  username: user.username,
  email: user.email,
  is_superuser: user.is_superuser === 1,
  scopes: [],
  via,
})
