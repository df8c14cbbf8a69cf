import { emailOf, type Me, usernameOf } from './me.js'
import { openSqlite, usersTable } from './sqlite.js'

export interface UserRow {
  readonly id: number
  readonly email: string
  readonly username: string
  readonly is_active: number
  readonly is_superuser: number
}

/** The users of the hand-written servers: prepared statements and nothing about them. */
export function handWrittenUsers(folder: string) {
  const database = openSqlite(folder)
  database.exec(usersTable)
  const insert = database.prepare(
    "insert into users (id, email, username, created_at, updated_at) values (?, ?, ?, '2026-01-01', '2026-01-01')",
  )
  const select = database.prepare('select * from users where id = ? limit 1')
  return {
    find: (id: number) => select.get(id) as UserRow | undefined,

    /** Calls `make` within a transaction, with a function that adds the user of an index under the id `index + 1`. */
    async fill(make: (add: (index: number) => void) => Promise<void>): Promise<void> {
      database.exec('begin')
      await make((index) => void insert.run([index + 1, emailOf(index), usernameOf(index)]))
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
