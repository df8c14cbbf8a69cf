import { test } from 'node:test'
import { bearerTransport, sessionTransport } from '../../src/index.js'
import { build } from '../helpers/build.js'
import { noUnhandledRejections } from '../helpers/hostile.js'
import { refuses } from '../helpers/refuses.js'

const disposition = 'content-disposition: form-data; name="f"'

test('multipart: a body that ends anywhere inside a file or a field is 400, and the process lives', async (t) => {
  noUnhandledRejections(t)
  const app = await build(t, {
    auth: { transports: [sessionTransport(), bearerTransport({ refresh: 'body' })] },
  })
  const headers = { 'content-type': 'multipart/form-data; boundary=x' }
  for (const part of [`${disposition}; filename="a"\r\n\r\nhello`, `${disposition}\r\n\r\nhello`]) {
    const whole = `--x\r\n${part}\r\n--x--\r\n`
    for (const url of ['/login', '/token'])
      for (let length = 1; length <= whole.length; length++) {
        const payload = whole.slice(0, length)
        const response = await app.inject({ method: 'POST', url, headers, payload })
        if (response.json().code !== 'FST_ERR_VALIDATION') refuses(response, 'CRUDAUTH_BAD_REQUEST')
      }
  }
})
