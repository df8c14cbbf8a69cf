import Database from 'better-sqlite3'

interface Statement {
  bound?: unknown
  bind(values: unknown[]): Statement
  run(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
}

/**
 * Gives the statements of libsql the method `bind` of better-sqlite3, which Prisma's adapter calls.
 * Here, `better-sqlite3` is libsql: it has the same API and the same SQLite, and needs no compiler.
 */
export function addBind(): void {
  const database = new Database(':memory:')
  const prototype = Object.getPrototypeOf(database.prepare('select 1')) as Statement
  database.close()
  if (typeof prototype.bind === 'function') return
  const { run, all } = prototype
  prototype.bind = function (values) {
    this.bound = values
    return this
  }
  prototype.run = function (...values) {
    return run.apply(this, this.bound === undefined ? values : [this.bound])
  }
  prototype.all = function (...values) {
    return all.apply(this, this.bound === undefined ? values : [this.bound])
  }
}
