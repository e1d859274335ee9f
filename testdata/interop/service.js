// A real ats-auth-server on a free port, with a store of its own, an application
// that a browser comes back to, and a person who fills in forms without one.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const program = join(import.meta.dirname, '../../bin/ats-auth-server')

export const alice = { name: 'alice', password: 'correct horse & battery' }

/** Service is a server that serves. What it was started with is its own alone. */
export class Service {
  #directory = mkdtempSync(join(tmpdir(), 'ats-auth-interop-'))
  #process
  #secrets = []
  #env = {
    PATH: process.env.PATH,
    XDG_CONFIG_HOME: this.#directory,
    XDG_STATE_HOME: this.#directory,
    ATS_AUTH_SERVER_STORE_URL: `sqlite:${join(this.#directory, 'store.db')}`,
    ATS_AUTH_SERVER_SERVER_LISTEN: '127.0.0.1:0',
    ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN: 'off',
  }

  /** start takes more settings, [server] tls as SERVER_TLS. */
  static async start(settings = {}) {
    const s = new Service()
    for (const [name, value] of Object.entries(settings)) s.#env[`ATS_AUTH_SERVER_${name}`] = value
    const log = openSync(s.#log, 'a', 0o600)
    s.#process = spawn(program, ['--log-level', 'debug'], { env: s.#env, stdio: ['ignore', 'ignore', log] })
    closeSync(log)
    s.url = await waitFor('the server to serve', () => {
      assert.equal(s.#process.exitCode, null, s.log())
      return s.log().match(/"msg":"serving","url":"([^"]*)"/)?.[1]
    })
    s.user(alice)
    return s
  }

  get #log() { return join(this.#directory, 'server.log') }

  log() { return readFileSync(this.#log, 'utf8') }

  command(...args) { return execFileSync(program, args, { env: this.#env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }) }

  user({ name, password }) {
    const file = this.file(`${name}.txt`, password)
    this.command('user', 'add', name, '--password-file', file)
    this.#secrets.push(password)
  }

  file(name, content) {
    const path = join(this.#directory, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }

  /** application makes one, and returns its client_id and client_secret. */
  application(name, ...flags) {
    const made = JSON.parse(this.command('application', 'add', name, ...flags, '-f', 'json'))
    if (made.client_secret) this.#secrets.push(made.client_secret)
    return made
  }

  /** keep notes what must never be in the log, and returns it. */
  keep(set) {
    for (const name of ['access_token', 'refresh_token', 'id_token', 'device_code', 'code']) if (set[name]) this.#secrets.push(set[name])
    return set
  }

  /** stop ends the server as an init system does, and reads what it has logged. */
  async stop() {
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM')
      await once(this.#process, 'exit')
    }
    const log = this.log()
    rmSync(this.#directory, { recursive: true })
    assert.equal(this.#process.exitCode, 0, log)
    assert.ok(this.#secrets.length > 1)
    for (const secret of this.#secrets) assert.ok(!log.includes(secret), 'a secret is in the log')
    assert.deepEqual(log.split('\n').filter((line) => /"level":"ERROR"|panic/.test(line)), [])
  }
}

/** waitFor polls until there is something, for as long as a slow machine may need. */
export async function waitFor(what, probe) {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(25)) {
    const found = await probe()
    if (found) return found
  }
  throw new Error(`waited in vain for ${what}`)
}

/** Callback is an application's own server on a loopback address, where the
 * browser arrives with the answer. */
export class Callback {
  static async listen(host = '127.0.0.1') {
    const c = new Callback()
    c.arrived = []
    c.server = createServer((request, response) => {
      const url = new URL(request.url, c.origin)
      if (url.pathname === '/callback') c.arrived.push(url)
      const status = url.pathname === '/callback' ? 200 : url.pathname === '/favicon.ico' ? 204 : 404
      response.writeHead(status, { 'Content-Type': 'text/html' }).end(status === 200 ? '<!doctype html><title>Application</title><h1>Welcome back' : '')
    })
    c.server.listen(0, host)
    await once(c.server, 'listening')
    c.origin = `http://${host.includes(':') ? `[${host}]` : host}:${c.server.address().port}`
    c.uri = `${c.origin}/callback`
    return c
  }

  /** next is the answer that arrives next. */
  async next() {
    return await waitFor('the browser to arrive at the application', () => this.arrived.shift())
  }

  async close() {
    this.server.closeAllConnections()
    this.server.close()
    await once(this.server, 'close')
  }
}

/** Person goes through the pages by their forms alone: no script, no browser. */
export class Person {
  #cookies = new Map()

  async #fetch(url, body) {
    const response = await fetch(url, {
      method: body ? 'POST' : 'GET', body, redirect: 'manual',
      headers: { Cookie: [...this.#cookies].map((c) => c.join('=')).join('; '), ...(body && { 'Sec-Fetch-Site': 'same-origin' }) },
    })
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/)
      this.#cookies.set(name, value)
    }
    this.at = new URL(url)
    this.page = await response.text()
    const to = response.headers.get('Location')
    if (!to) return this
    const next = new URL(to, url)
    if (next.origin === this.at.origin) return await this.#fetch(next)
    this.at = next // an application's: not visited
    return this
  }

  async open(url) { return await this.#fetch(new URL(url)) }

  /** send fills in the first form of the page. */
  async send(typed) {
    const plain = (text) => text.replaceAll('&amp;', '&').replaceAll('&#43;', '+').replaceAll('&#34;', '"').replaceAll('&#39;', "'")
    const form = this.page.match(/<form method="post" action="([^"]*)">(.*?)<\/form>/s)
    assert.ok(form, `no form at ${this.at}:\n${this.page}`)
    const body = new URLSearchParams()
    for (const [input] of form[2].matchAll(/<input[^>]*>/g)) {
      body.set(input.match(/ name="([^"]*)"/)[1], plain(input.match(/ value="([^"]*)"/)?.[1] ?? ''))
    }
    for (const [name, value] of Object.entries(typed)) body.set(name, value)
    return await this.#fetch(new URL(plain(form[1]), this.at), body)
  }

  async logIn(who = alice) { return await this.send({ username: who.name, password: who.password }) }

  /** authorize logs in and consents: the address by which the application is
   * answered. */
  async authorize(url, decision = 'allow') {
    await this.open(url)
    await this.logIn()
    await this.send({ decision })
    return this.at
  }

  /** letIn lets a device in. */
  async letIn(device, decision = 'allow') {
    await this.open(device.verification_uri)
    await this.logIn()
    await this.send({ user_code: device.user_code })
    await this.send({ decision })
    return this
  }
}
