// Imports the entry points given as arguments and looks for the names each promises.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

const promised = JSON.parse(readFileSync(new URL('names.json', import.meta.url), 'utf8'))
for (const entry of process.argv.slice(2)) {
  const exported = await import(entry)
  for (const name of promised[entry])
    assert.ok(name in exported, `${entry} does not export ${name}`)
  for (const [name, value] of Object.entries(exported))
    assert.notEqual(value, undefined, `${entry} exports ${name} as undefined`)
}
